//! Key pairs that sign tokens in tests and nowhere else, and tokens as other issuers would make them.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

/// The secret of a site that shares one with us.
pub(super) const SITE_SECRET: &str = "a secret that another site signs with";

/// Signs as somebody else's server would.
pub(super) fn sign(algorithm: Algorithm, key_id: Option<&str>, key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: key_id.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

pub(super) fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap()
}

pub(super) fn ec() -> EncodingKey {
    EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap()
}

pub(super) fn ed() -> EncodingKey {
    EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).unwrap()
}

/// All three public keys, with ids of their own.
pub(super) const JWKS: &str = r#"{"keys": [
    {"kid": "rsa-1", "kty": "RSA", "use": "sig", "alg": "RS256", "e": "AQAB",
     "n": "qUr4dfHfO_eRcqi6rR8mSSv1p_AlnXQ_6U5PzUpUexjCD5xZrLdCzCPxFy1LPhiJsrEDiWEXZQt0hS6u0AOT7Kt5319E4xjNFYe_BZ61Lf_JsbwRZP113H6zv2mp1S2-VyMIQvP_TBn3T6sIAuKXuPzrITQ0TxJeYLsa07s51XuYrGu2L_W4tpah6HbqkGvvP1AQbd9hHxoLEawK4wgvnI52jcjRN4PH0l5A6s4Olf2D98KzdcLbvO9WSXFYgFwaehG9y6MJP3a1qO1J63XhyTIgP7Gl_tX8KOTVhcrNotQXMqWMFqfH4c1qdfWffoG0DY4GbI3HmNjut-4a50671Q"},
    {"kid": "ec-1", "kty": "EC", "crv": "P-256", "use": "sig", "x": "7R3g6uAknIYAlETkXQr2zJHdztTelZneu-izz3PXFME", "y": "35a07MoloaxR3ezz6_Ct9WgUazpPE5EL95Ehat2_Zzk"},
    {"kid": "ed-1", "kty": "OKP", "crv": "Ed25519", "x": "NBqxPkPXVq8JyMcoqW-gMF9o5AzRYkyfeEKl89FXfyY"}
]}"#;

pub(super) const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqUr4dfHfO/eRcqi6rR8m
SSv1p/AlnXQ/6U5PzUpUexjCD5xZrLdCzCPxFy1LPhiJsrEDiWEXZQt0hS6u0AOT
7Kt5319E4xjNFYe/BZ61Lf/JsbwRZP113H6zv2mp1S2+VyMIQvP/TBn3T6sIAuKX
uPzrITQ0TxJeYLsa07s51XuYrGu2L/W4tpah6HbqkGvvP1AQbd9hHxoLEawK4wgv
nI52jcjRN4PH0l5A6s4Olf2D98KzdcLbvO9WSXFYgFwaehG9y6MJP3a1qO1J63Xh
yTIgP7Gl/tX8KOTVhcrNotQXMqWMFqfH4c1qdfWffoG0DY4GbI3HmNjut+4a5067
1QIDAQAB
-----END PUBLIC KEY-----
";

pub(super) const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7R3g6uAknIYAlETkXQr2zJHdztTe
lZneu+izz3PXFMHflrTsyiWhrFHd7PPr8K31aBRrOk8TkQv3kSFq3b9nOQ==
-----END PUBLIC KEY-----
";

pub(super) const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEANBqxPkPXVq8JyMcoqW+gMF9o5AzRYkyfeEKl89FXfyY=
-----END PUBLIC KEY-----
";

const RSA_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCpSvh18d8795Fy
qLqtHyZJK/Wn8CWddD/pTk/NSlR7GMIPnFmst0LMI/EXLUs+GImysQOJYRdlC3SF
Lq7QA5Psq3nfX0TjGM0Vh78FnrUt/8mxvBFk/XXcfrO/aanVLb5XIwhC8/9MGfdP
qwgC4pe4/OshNDRPEl5guxrTuznVe5isa7Yv9bi2lqHoduqQa+8/UBBt32EfGgsR
rArjCC+cjnaNyNE3g8fSXkDqzg6V/YP3wrN1wtu871ZJcViAXBp6Eb3Lowk/drWo
7UnrdeHJMiA/saX+1fwo5NWFys2i1BcypYwWp8fhzWp19Z9+gbQNjgZsjceY2O63
7hrnTrvVAgMBAAECggEAHKNklZs1jtDqB3H4plmrIdywYVj0HAcy2pZXVJya3voI
thhWaSvVPnBkE+4jGN2Qyaw9M2u7x+mgq/kCNIkuaG53nuxgXGRxKQ++Jka7Uo0/
QvRUIvfnjMXYRWysALaMyPPRrXXWPbr0xcLih45qaS5L3mGU6b1rPsTYHHJDLdRE
N+jeW22W63KvK01pqvHf2rO0ni+fgNTAF5niqAQcQskyB3+gmjpGY4gRsI/eIL4m
PTl3dHDlcWoBAPiKDLvxNRfHBiGplD2L9cDfnMK/Ro5CS1ot1WjWkO+U/AnXQzVW
Wne0CtPHE+FSUF0FYFpmkoeDMB4Sw3jU947BQQZ7wQKBgQDsMuBvy+Gb34IxLXc3
FiIGclbVL6dKstAda0fbwC7BuKOCfbAvt9CInfEW88C9YD8ZdH0JA5k6biU2ZOyx
NB3Tb1El96iXZq4cxIEYrY6gXEeRSkVsTjGJ8OfshqmQ3VDAX+KlchNQ1QxKTDVS
IS2AzrvykcRuG0KRd/NS6n7W4QKBgQC3fDWFE5h5gQoyXJDRbiFXxmQlyEaG1+M+
ZzPzy038qk5vLi4sLRJDp4CLONB0xItrcHifsvufqUAWbQU/ZJTe43mBGM8HS4JQ
kFoC3DJHIi5Sp1FL+eUi9qvT0bmhy05+XxLI19LHWHvwqQuBKTG6EI44HcSVgOAq
O4p+SSJndQKBgDZDOex1Gk+E+ZPyrgCpxQdWHTy8xeITUlxv2QJTFGrM0EOaPG+5
+t5n6osrVIwtIFHowRDhEsKpq0LjzLypDHEWkb33N3QQ0s8pFb9ln+6XRJnMRkar
cBYQkjd0eGAfd/26CYeYvXdEep5XA6jqllmRJPyFIGtrN8/TjsLtvFYBAoGAQw5a
xOKvc6BMKLGZn2BfQSPZD9HMrJUTkIfI/c0MGE3pUkqPR0fFiAIcQUUnMbVuunol
K0API3+IU2nOZCePHJIHor19U84ttuG6c5cjrMl6ImzRkjGmowuBKm1YKSAS9K4s
QEhX2NCmowI0mSSD7tsEDtAaOwUZZ3XRHGv/7c0CgYApdRj23EWNH79flXqDO2Ve
QiVP3UEYg7DLr+O5FzE6nnZLGvtAYZSOs5jCMFT2B4D04G4tAzt8UlCnCx9uKcpm
yoS2WB0tsvGrfbcfFus2xJYtD8hWD5kfnxG2EsPNwpltqPnFDKg6XtdOh5U6DtFp
6qhAlEu/wH7yogiiiFwBFQ==
-----END PRIVATE KEY-----
";

const EC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNuSaYQ5nYO2wg6xQ
JjavFwvrqUoH6wh7ymwBVmWThfehRANCAATtHeDq4CSchgCURORdCvbMkd3O1N6V
md676LPPc9cUwd+WtOzKJaGsUd3s8+vwrfVoFGs6TxORC/eRIWrdv2c5
-----END PRIVATE KEY-----
";

/// A private key where a public one belongs.
pub(super) const ED_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIC5U5pYuEg9cH7RmUgq7y2qPLZZA8htzsgwC1rNtIe/Y
-----END PRIVATE KEY-----
";
