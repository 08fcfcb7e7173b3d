"""Texts inside picture files: text chunks of PNG, XMP and EXIF of WebP and JPEG. No pixel is decoded to read them.

A recipe is a chunk of a PNG, and a property of the XMP packet of the others; what other programs look for is PNG's
chunk "parameters", and EXIF's user comment.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from .formats import JPEG, PNG, QUALITY, WEBP, PictureFormat
from .remarks import without_foreign_warnings

PARAMETERS = "parameters"
_SPACE = "urn:fouriscale-padtone:picture"  # the XML namespace of our properties
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_LONGEST = 2**22  # bytes of an XMP packet or EXIF block that is read
_COMMENT_OF_JPEG = 60_000  # bytes; all of its EXIF has 65,533 at most
_MAGIC: tuple[tuple[bytes, PictureFormat, Any], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG, PngImagePlugin.PngImageFile),
    (b"\xff\xd8\xff", JPEG, JpegImagePlugin.JpegImageFile),
    (b"RIFF", WEBP, WebPImagePlugin.WebPImageFile),
)
# What the eight bytes before a user comment say of its letters; the standard has UTF-16 for Unicode.
_ASCII, _JIS, _UNICODE = b"ASCII\0\0\0", b"JIS\0\0\0\0\0", b"UNICODE\0"
_UNPRINTABLE_IN_XML = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class EmbeddedTexts:
    """What a file carries besides pixels.

    Attributes:
        kind: the file's format.
        height, width: in pixels.
        texts: by the name of their chunk or property; EXIF's user comment, where there is one, is "parameters".
    """

    kind: PictureFormat
    height: int
    width: int
    texts: Mapping[str, str]


def encoded(
    image: Image.Image,
    kind: PictureFormat,
    *,
    quality: int | None = None,
    recipe: tuple[str, str] | None = None,
    parameters: str | None = None,
) -> bytes:
    """A picture's file.

    Args:
        quality: of a lossy format, 1 to 100; None takes the usual one.
        recipe: (name, JSON text).
        parameters: what other programs read; left out of a JPEG that has no room for it.

    Raises:
        ValueError: the format has no room for the picture or its recipe. OSError: it has no such pixels.
    """
    content = io.BytesIO()
    if kind is PNG:
        chunks = PngImagePlugin.PngInfo()
        for name, text in filter(None, (recipe, parameters and (PARAMETERS, parameters))):
            _add_text(chunks, name, text)
        image.save(content, format="PNG", pnginfo=chunks)
        return content.getvalue()
    blocks: dict[str, Any] = {}
    if recipe is not None:
        blocks["xmp"] = _packet(*recipe)
    comment = None if parameters is None else _UNICODE + parameters.encode("utf-16-be", "replace")
    if comment is not None and (kind is WEBP or len(comment) <= _COMMENT_OF_JPEG):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
        blocks["exif"] = exif
    quality = QUALITY if quality is None else quality
    if kind is WEBP:
        image.save(content, format="WEBP", quality=quality, method=4, **blocks)
    else:
        image.save(content, format="JPEG", quality=quality, subsampling="4:4:4", **blocks)
    return content.getvalue()


def texts_of(file: Path | BinaryIO, *, checksums: bool = False) -> EmbeddedTexts:
    """The texts inside a PNG, WebP or JPEG of any size.

    Args:
        checksums: whether to compare those of a PNG's chunks, the pixels' too.

    Raises:
        SyntaxError: it is no such picture, or damaged. OSError, ValueError, EOFError, struct.error, zlib.error: it is
            damaged.
    """
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return texts_of(stream, checksums=checksums)
    begins = file.read(16)
    file.seek(0)
    for magic, kind, plugin in _MAGIC:
        if begins.startswith(magic) and (kind is not WEBP or begins[8:12] == b"WEBP"):
            # `Image.open` refuses large pictures.
            with without_foreign_warnings(), plugin(file) as image:
                chunks = {name: text for name, text in image.info.items() if isinstance(text, str)}
                texts = _exif_texts(image) | _properties(image.info.get("xmp")) | chunks
                if checksums:
                    image.verify()
                return EmbeddedTexts(kind, image.height, image.width, texts)
    raise SyntaxError("it is no PNG, WebP or JPEG")


def _add_text(chunks: PngImagePlugin.PngInfo, name: str, text: str) -> None:
    """A chunk of any letters: those beyond Latin-1 need another kind of it, which Pillow chooses by itself.

    Halves of letters, which a file's name may hold, can be written in no encoding.
    """
    chunks.add_text(name, text.encode(errors="replace").decode())


def _packet(name: str, text: str) -> bytes:
    """An XMP packet with one property. The text is JSON, so letters that XML has not can stand there as escapes."""
    text = _UNPRINTABLE_IN_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about="" xmlns:fs="{_SPACE}">'
        f"<fs:{name}>{escape(text)}</fs:{name}>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _properties(packet: Any) -> dict[str, str]:
    """Our properties of an XMP packet; none of a damaged one.

    Other programs may have written the packet anew, with properties as attributes.
    """
    if not isinstance(packet, bytes) or not packet or len(packet) > _LONGEST:
        return {}
    try:
        text = packet.decode("utf-8-sig").strip("\0")
        if "<!" in text:  # entities, of which XMP has none
            return {}
        root = ElementTree.fromstring(text)
    except (UnicodeError, ElementTree.ParseError, ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}
    for element in root.iter():
        pairs = [(element.tag, element.text or ""), *element.items()]
        found |= {name.removeprefix(f"{{{_SPACE}}}"): value for name, value in pairs if _SPACE in name}
    return found


def _exif_texts(image: Image.Image) -> dict[str, str]:
    """What other programs write into EXIF: a user comment, and "name:text" under any of the plain tags."""
    if isinstance(image, PngImagePlugin.PngImageFile) and "exif" not in image.info:
        return {}  # Pillow would decode the pixels in search of it
    try:
        exif = image.getexif()
        plain = [value for value in exif.values() if isinstance(value, str)]
        comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    except Exception:  # Pillow raises SyntaxError, struct.error, KeyError and more for damage
        return {}
    named = (value.partition(":") for value in plain if len(value) <= _LONGEST)
    texts = {name.lower(): text for name, _, text in named if name.lower() in ("prompt", "workflow")}
    if isinstance(comment, bytes | str) and 0 < len(comment) <= _LONGEST:
        texts[PARAMETERS] = comment_text(
            comment.encode(errors="replace") if isinstance(comment, str) else comment
        )
    return texts


def comment_text(comment: bytes) -> str:
    """The text of an EXIF user comment, whatever its first eight bytes say; letters that it lacks are replaced.

    Unicode is UTF-16 in either order, and some write UTF-8 instead.
    """
    head, body = comment[:8], comment[8:]
    if head not in (_ASCII, _JIS, _UNICODE, bytes(8)):
        head, body = bytes(8), comment
    if head == _JIS:
        return body.decode("iso2022_jp", "replace").strip("\0")
    if head == _UNICODE or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        body = body[: len(body) // 2 * 2] if b"\0" in body else body
        if body.startswith((b"\xff\xfe", b"\xfe\xff")):
            return body.decode("utf-16", "replace").strip("\0")
        high, low = body[::2].count(0), body[1::2].count(0)  # of plain letters one byte in two is 0
        if high or low or not _is_utf8(body):
            return body.decode("utf-16-be" if high >= low else "utf-16-le", "replace").strip("\0")
    return body.decode("utf-8", "replace").strip("\0")


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
