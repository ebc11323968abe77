"""Records the offers of GStreamer's webrtcbin: /usr/bin/python3 gstreamer.py FOLDER"""

import pathlib
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402, F401

FOLDER = pathlib.Path(sys.argv[1])
PEER = "webrtcbin name=peer bundle-policy=max-bundle "
VIDEO = "application/x-rtp,media=video,encoding-name=VP8,payload=96"
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97"
SOURCES = (
    f"videotestsrc is-live=true ! video/x-raw,width=640,height=360 ! vp8enc deadline=1 ! rtpvp8pay pt=96 ! {VIDEO} ! peer. "
    f"audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=97 ! {AUDIO} ! peer."
)
# The caps of the sources, and then the candidates, have to be there first.
PATIENCE_MS = 1500


def record(name, pipeline, prepare):
    running = Gst.parse_launch(pipeline)
    peer, loop = running.get_by_name("peer"), GLib.MainLoop()
    prepare(peer)

    def offered(promise, _):
        reply = promise.get_reply()  # named, or it is freed before the offer is read out of it
        peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())
        GLib.timeout_add(PATIENCE_MS, write)

    def offer():
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(offered, None))

    def write():
        text = peer.get_property("local-description").sdp.as_text()
        (FOLDER / f"gstreamer-{name}.offer.sdp").write_bytes(text.encode())
        loop.quit()

    running.set_state(Gst.State.PLAYING)
    GLib.timeout_add(PATIENCE_MS, offer)
    GLib.timeout_add(10 * PATIENCE_MS, loop.quit)
    loop.run()
    running.set_state(Gst.State.NULL)


def receive(peer):
    direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
    for caps in (f"{AUDIO},clock-rate=48000,encoding-params=(string)2", f"{VIDEO},clock-rate=90000"):
        peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))


Gst.init(None)
record("publish", PEER + SOURCES, lambda peer: None)
record("watch", "fakesrc num-buffers=1 ! fakesink " + PEER, receive)
