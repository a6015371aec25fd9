"""Two prompts are rendered, and a small network learns to tell their frames apart.

    python examples/torch_pipeline.py

Needs PyTorch: pip install "odyssey-sync[torch]". Two worker processes decode the videos, one each.
With ODYSSEY_API_KEY in the environment the service renders them, else an emulator on this machine.
"""

from __future__ import annotations

import torch
from service import open_client
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from odyssey import Odyssey, VideoFrame
from odyssey.integrations.torch import RecordingFrames, to_tensor

PROMPTS = ["A fox in the snow at noon", "A city street at night"]


def render(client: Odyssey, prompt: str, seconds: float = 3.0) -> str:
    """The id of a recording of the prompt."""
    script = [
        {"timestamp_ms": 0, "start": {"prompt": prompt}},
        {"timestamp_ms": round(seconds * 1000), "end": {}},
    ]
    job = client.simulations.wait(client.simulations.submit(script=script), interval=0.5)
    return job.streams[0].stream_id


def sample(frame: VideoFrame) -> tuple[Tensor, str | None]:
    """What a worker makes of a frame: a small picture, (3, 40, 22), and whose it is."""
    picture = to_tensor(frame)[None].float() / 255
    return functional.interpolate(picture, (40, 22), mode="area")[0], frame.stream_id


def main() -> None:
    torch.manual_seed(1)
    with open_client() as client:
        stream_ids = [render(client, prompt) for prompt in PROMPTS]
        # Workers make clients of their own, with the key of the environment.
        loader = DataLoader(RecordingFrames(stream_ids, sample=sample), 12, num_workers=2)
        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 40 * 22, 2))
        optimizer = torch.optim.Adam(model.parameters(), 0.002)
        for epoch in range(3):
            right = total = 0
            for pictures, owners in loader:
                labels = torch.tensor([stream_ids.index(owner) for owner in owners])
                scores = model(pictures)
                loss = functional.cross_entropy(scores, labels)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                right += int((scores.argmax(1) == labels).sum())
                total += len(labels)
            print(f"epoch {epoch + 1}: {right} of {total} frames right")


if __name__ == "__main__":
    main()
