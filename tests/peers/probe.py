"""Whether this machine's Debian packages are enough for `gst_peer.py`; the exit code says so."""

import sys

WANTED = ["webrtcbin", "nicesrc", "dtlsdec", "srtpenc", "vp8enc", "vp8dec", "x264enc", "opusenc", "rtpvp8pay", "decodebin"]

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstSdp", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    sys.exit(str(error))

Gst.init(None)
missing = [name for name in WANTED if Gst.ElementFactory.find(name) is None]
if missing:
    sys.exit(f"GStreamer lacks {', '.join(missing)}")
