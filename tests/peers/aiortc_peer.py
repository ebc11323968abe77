"""aiortc as broadcaster or viewer: a WebRTC implementation that shares no code with the server's or a browser's."""

import argparse
import asyncio

import aioice.ice
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

from signalling import Session, arguments, say

# aioice leaves loopback out; a test has nothing else.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

# How often figures are told, in seconds.
TELL_EVERY = 0.25


class Counter:
    """Takes every frame of a track and remembers how many there were, and the size of the last picture."""

    def __init__(self):
        self.frames = {"audio": 0, "video": 0}
        self.size = None

    async def drain(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.frames[track.kind] += 1
            if track.kind == "video":
                self.size = [frame.width, frame.height]


def prefer(connection, codec):
    """Offers this video codec alone, with its retransmissions."""
    wanted = [f"video/{codec}".lower(), "video/rtx"]
    for transceiver in connection.getTransceivers():
        if transceiver.kind == "video":
            codecs = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([each for each in codecs if each.mimeType.lower() in wanted])


async def run(chosen):
    connection = RTCPeerConnection()
    counter = Counter()
    takers = []
    connection.on("connectionstatechange", lambda: say("state", state=connection.connectionState))
    if chosen.role == "publish":
        connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
        connection.addTransceiver(VideoStreamTrack(), direction="sendonly")
        prefer(connection, chosen.codec)
    else:
        connection.on("track", lambda track: takers.append(asyncio.ensure_future(counter.drain(track))))
        connection.addTransceiver("audio", direction="recvonly")
        connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp
    session = await asyncio.to_thread(Session.open, chosen.url, chosen.token, offer)
    await connection.setRemoteDescription(RTCSessionDescription(session.answer, "answer"))
    until = asyncio.get_running_loop().time() + chosen.seconds
    while asyncio.get_running_loop().time() < until and connection.connectionState != "closed":
        await asyncio.sleep(TELL_EVERY)
        say("frames", **counter.frames, size=counter.size, state=connection.connectionState)
    await asyncio.to_thread(session.delete)
    await connection.close()
    say("done", **counter.frames, size=counter.size)


asyncio.run(run(arguments(argparse.ArgumentParser(description=__doc__))))
