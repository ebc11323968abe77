"""GStreamer's webrtcbin as broadcaster or viewer, with the plugins that Debian ships."""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

from signalling import Session, arguments, say  # noqa: E402

ENCODERS = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=800000 ! rtpvp8pay pt=96 picture-id-mode=15-bit",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=800 "
    "! video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
}
# RFC 7587 wants two channels in every offer of Opus.
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=97"
TELL_EVERY_MS = 250


class Peer:
    """One webrtcbin and what came out of it."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.frames = {"audio": 0, "video": 0}
        self.session = None
        self.loop = GLib.MainLoop()
        if chosen.role == "publish":
            self.pipeline = Gst.parse_launch(
                "webrtcbin name=rtc "
                "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1 "
                f"! queue ! {ENCODERS[chosen.codec]} ! application/x-rtp,media=video,payload=96 ! rtc. "
                "audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! queue ! opusenc "
                "! rtpopuspay pt=97 ! application/x-rtp,media=audio,payload=97,encoding-name=OPUS ! rtc."
            )
        else:
            self.pipeline = Gst.Pipeline.new()
            self.pipeline.add(Gst.ElementFactory.make("webrtcbin", "rtc"))
        self.rtc = self.pipeline.get_by_name("rtc")
        self.rtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        # libnice leaves loopback out; a test has nothing else. The agent is kept: reading it does not add a reference.
        self.agent = self.rtc.get_property("ice-agent")
        self.agent.emit("add-local-ip-address", "127.0.0.1")
        self.rtc.connect("pad-added", self.take)
        self.rtc.connect("notify::ice-gathering-state", self.gathered)
        self.rtc.connect("notify::connection-state", self.changed)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.failed)

    def run(self):
        if self.chosen.role == "publish":
            for at in (0, 1):
                self.transceiver(at).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            self.rtc.connect("on-negotiation-needed", lambda _: self.offer())
            self.pipeline.set_state(Gst.State.PLAYING)
        else:
            self.pipeline.set_state(Gst.State.PLAYING)
            video = f"application/x-rtp,media=video,encoding-name={self.chosen.codec},clock-rate=90000,payload=96"
            for caps in (AUDIO, video):
                direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
                self.rtc.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
            self.offer()
        GLib.timeout_add(TELL_EVERY_MS, self.tell)
        GLib.timeout_add(int(self.chosen.seconds * 1000), self.end)
        self.loop.run()
        if self.session:
            self.session.delete()
        self.pipeline.set_state(Gst.State.NULL)
        say("done", **self.frames)

    def transceiver(self, at):
        return self.rtc.emit("get-transceiver", at)

    def offer(self):
        promise = Gst.Promise.new_with_change_func(self.offered)
        self.rtc.emit("create-offer", None, promise)

    def offered(self, promise):
        # The reply owns the offer: it must outlive the call.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.rtc.emit("set-local-description", offer, Gst.Promise.new())

    def gathered(self, rtc, _):
        if rtc.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE or self.session:
            return
        # The offer without trickle holds every candidate, so it is posted once they are known.
        GLib.idle_add(self.signal)

    def signal(self):
        if self.session:
            return False
        offer = self.rtc.get_property("local-description").sdp.as_text()
        self.session = Session.open(self.chosen.url, self.chosen.token, offer)
        _, message = GstSdp.SDPMessage.new_from_text(self.session.answer)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.rtc.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def take(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.sink)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def sink(self, _, pad):
        kind = "video" if pad.get_current_caps().get_structure(0).get_name().startswith("video") else "audio"
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))
        pad.add_probe(Gst.PadProbeType.BUFFER, lambda *_: self.count(kind))

    def count(self, kind):
        self.frames[kind] += 1
        return Gst.PadProbeReturn.OK

    def changed(self, rtc, _):
        say("state", state=rtc.get_property("connection-state").value_nick)

    def tell(self):
        say("frames", **self.frames)
        return True

    def failed(self, _, message):
        error, details = message.parse_error()
        say("error", text=f"{error.message}: {details}")
        self.loop.quit()

    def end(self):
        self.loop.quit()
        return False


Gst.init(None)
Peer(arguments(argparse.ArgumentParser(description=__doc__))).run()
