"""Everything that runs on the media thread: the asyncio loop, signaling, WebRTC, decoded frames.

The only place that imports aiortc, av and websockets; `odyssey` imports it when one connects.
"""
