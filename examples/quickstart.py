"""The shortest useful program: stream, steer, keep a picture.

    python examples/quickstart.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set.
"""

from service import open_client


def main() -> None:
    with open_client() as client:
        client.connect()
        with client.stream("A cat on a windowsill") as stream:
            clip = stream.frames.stack(48)  # two seconds: (48, 1280, 704, 3) uint8, RGB
            print(f"{len(clip)} frames, mean brightness {clip.mean():.0f}")
            print("applied:", stream.interact("The cat stretches and yawns"))
            for frame in stream:
                if frame.index >= 72:
                    break
            frame.to_image().save("quickstart.png")
            print(f"quickstart.png: frame {frame.index}, {frame.width}x{frame.height}")


if __name__ == "__main__":
    main()
