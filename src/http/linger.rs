//! How a TCP connection ends without losing its last words.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Bytes thrown away at most while the other side finishes.
const MOST: usize = 1 << 20;

/// Says that nothing more will come, then reads and drops until the other side has closed as well, `patience` long at most.
///
/// Closing with unread bytes would make the kernel send RST (RFC 2525 §2.17), which destroys the answer or close frame
/// that the other side has not read yet.
pub async fn linger(stream: &mut TcpStream, patience: Duration) {
    let parting = async {
        stream.shutdown().await?;
        let mut dropped = 0;
        let mut buffer = [0; 2048];
        while dropped < MOST {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => dropped += count,
            }
        }
        std::io::Result::Ok(())
    };
    // A failure means that the other side is gone, which is what was waited for.
    let _ = tokio::time::timeout(patience, parting).await;
}
