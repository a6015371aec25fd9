"""What notebooks show."""

from __future__ import annotations


def video_html(url: str | None, poster: str | None, text: str) -> str:
    """A player for the video at `url`, with a picture until it plays; without one, the `text`."""
    import html  # with its list of entities; only a notebook waits for it

    source = _web_address(url)
    if source is None:
        return f"<code>{html.escape(text)}</code>"
    picture = _web_address(poster)
    return (
        '<video controls preload="metadata" style="max-width: 100%; max-height: 480px"'
        + (f' poster="{html.escape(picture)}"' if picture else "")
        + f' src="{html.escape(source)}">{html.escape(text)}</video>'
    )


def _web_address(url: str | None) -> str | None:
    """`url` where a page may load it; None for what a page should not load."""
    if url is None or not url.lower().startswith(("https://", "http://")):
        return None
    return url
