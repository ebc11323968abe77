"""Records Firefox's offers: python3 firefox.py FOLDER"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

FOLDER = pathlib.Path(sys.argv[1])
OFFERS = pathlib.Path(__file__).with_name("page.js").read_text().strip().rstrip(";")
PAGE = f"""<!doctype html><script>
const offers =
{OFFERS};
offers().then((found) => fetch('/', {{ method: 'POST', body: JSON.stringify(found) }}));
</script>"""
PREFERENCES = {
    "media.navigator.streams.fake": "true",
    "media.navigator.permission.disabled": "true",
    "media.gmp-manager.updateEnabled": "false",
    "app.update.enabled": "false",
    "network.captive-portal-service.enabled": "false",
    "datareporting.policy.dataSubmissionEnabled": "false",
}

recorded = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def do_POST(self):
        offers = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for name, sdp in offers.items():
            (FOLDER / f"firefox-{name}.offer.sdp").write_bytes(sdp.encode())
        self.send_response(204)
        self.end_headers()
        recorded.set()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    lines = (f'user_pref("{name}", {value});' for name, value in PREFERENCES.items())
    pathlib.Path(profile, "user.js").write_text("\n".join(lines))
    command = ["firefox-esr", "--headless", "--no-remote", "--profile", profile]
    url = f"http://127.0.0.1:{server.server_port}/"
    browser = subprocess.Popen(command + [url], stderr=subprocess.DEVNULL, env={**os.environ, "HOME": profile})
    found = recorded.wait(60)
    browser.terminate()
    browser.wait(20)
sys.exit(0 if found else "no offer within a minute")
