"""What the checker saw, drawn onto the picture. Pure."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from shapeworld.judge.checker import Report


def enlarged(image: Image.Image, side: int = 384) -> Image.Image:
    """A copy whose shorter side has at least `side` pixels."""
    scale = max(1.0, side / min(image.size))
    width, height = (round(scale * n) for n in image.size)
    return image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)


def outlined(image: Image.Image, report: Report, side: int = 384) -> Image.Image:
    """A copy with a box and a name around each object that was found.

    Args:
        image: the picture that was judged.
        report: the judgement.
        side: the copy's shorter side, pixels; smaller pictures are enlarged, larger ones keep their size.
    """
    drawing = enlarged(image, side)
    width, height = drawing.size
    draw, font = ImageDraw.Draw(drawing), ImageFont.load_default(max(12, min(width, height) // 18))
    line = max(2, min(width, height) // 160)
    for number, one in enumerate(report.objects, 1):
        top, left, bottom, right = one.box
        box = (left * width, top * height, right * width, bottom * height)
        draw.rectangle(
            tuple(b + d for b, d in zip(box, (-1, -1, 1, 1), strict=True)), outline="black", width=line + 2
        )
        draw.rectangle(box, outline="white", width=line)
        label = f"{number} {one.color} {one.shape}"
        at = (max(0, box[0]), max(0, box[1]))
        draw.rectangle(draw.textbbox(at, label, font=font), fill="black")
        draw.text(at, label, fill="white", font=font)
    return drawing
