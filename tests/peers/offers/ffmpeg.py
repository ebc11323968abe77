"""Records FFmpeg's WHIP offer: python3 ffmpeg.py FOLDER"""

import http.server
import pathlib
import subprocess
import sys
import threading

import imageio_ffmpeg

FOLDER = pathlib.Path(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        offer = self.rfile.read(int(self.headers["content-length"]))
        (FOLDER / "ffmpeg-publish.offer.sdp").write_bytes(offer)
        self.send_response(422)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
inputs = "-f lavfi -i testsrc=s=640x360:r=30 -f lavfi -i sine".split()
video = "-c:v libx264 -profile:v baseline -pix_fmt yuv420p".split()
audio = "-c:a libopus -ar 48000 -ac 2".split()
output = ["-t", "5", "-f", "whip", f"http://127.0.0.1:{server.server_port}/"]
command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "fatal", "-re", *inputs, *video, *audio, *output]
subprocess.run(command, timeout=60, check=False)
