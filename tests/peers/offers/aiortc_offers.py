"""Records aiortc's offers: python3 aiortc_offers.py FOLDER"""

import asyncio
import pathlib
import sys

from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

FOLDER = pathlib.Path(sys.argv[1])


async def record(name, prepare):
    peer = RTCPeerConnection()
    prepare(peer)
    await peer.setLocalDescription(await peer.createOffer())
    (FOLDER / f"aiortc-{name}.offer.sdp").write_bytes(peer.localDescription.sdp.encode())
    await peer.close()


def send(peer):
    peer.addTrack(AudioStreamTrack())
    peer.addTrack(VideoStreamTrack())


def receive(peer):
    peer.addTransceiver("audio", "recvonly")
    peer.addTransceiver("video", "recvonly")


async def main():
    await record("publish", send)
    await record("watch", receive)


asyncio.run(main())
