"""WebRTC and video: signaling, peers, decoding, and the media thread with its asyncio loop.

A live stream is received and decoded on the media thread. A recording's file is decoded, and a
picture converted to an array, in the thread that asks for it.

The only place of the client's side that imports aiortc, av and websockets (the emulator imports
aiortc and av too); `odyssey` imports it when one connects or reads a video.
"""
