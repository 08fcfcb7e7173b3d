"""A CLIP as the eye of the audit: features of pictures and prompts, from a folder or a hub id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from picturelab import hub, worlds
from picturelab.failures import told_as
from picturelab.model_names import HUB_ID
from picturelab.settings import shortened

_SHIPPED = f"{worlds.USUAL}/clip"
_LAYERS = 4  # of the vision model, evenly spread, as LPIPS looks at five stages


@dataclass(frozen=True)
class Features:
    """Features of some pictures.

    Attributes:
        embeds: (pictures, width), the projected vector that is compared with text.
        patches: a tensor a layer, (pictures, patches, width), without the class token.
    """

    embeds: torch.Tensor
    patches: tuple[torch.Tensor, ...]


class Clip:
    """A CLIP model with its tokenizer and its image processor."""

    def __init__(self, model: Any, tokenizer: Any, processor: Any, name: str = "") -> None:
        self.model, self.tokenizer, self.processor, self.name = model.eval(), tokenizer, processor, name

    @classmethod
    def load(cls, name: str, device: str | torch.device = "cpu") -> Clip:
        """From a folder, a hub id, or "shapeworld/clip" for the one that is shipped.

        Raises:
            ValueError: there is no such CLIP here, it cannot be read, or it is another model.
        """
        from transformers import AutoConfig, AutoTokenizer, CLIPImageProcessorPil, CLIPModel

        where = shipped_clip(name) or name
        _check_place(where)
        problem = None if Path(where).is_dir() else hub.problem(where)
        local = problem is not None  # what the cache holds
        with told_as(
            f"the CLIP {name!r} cannot be had; name with --clip a folder that holds one, or {_SHIPPED}"
        ):
            try:
                kind = AutoConfig.from_pretrained(where, local_files_only=local).model_type
            except OSError as error:
                raise problem or error from None
        if kind != "clip":
            raise ValueError(f"clip is {name!r}, a model of type {kind!r}; it must be one of type 'clip'")
        with told_as(f"the CLIP {name!r} cannot be loaded"):
            # The Pillow processor: the default one needs torchvision.
            processor = CLIPImageProcessorPil.from_pretrained(where, local_files_only=local)
            model, report = CLIPModel.from_pretrained(where, output_loading_info=True, local_files_only=local)
            tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=local)
        if missing := sorted(report["missing_keys"]):  # transformers would draw them at random
            raise ValueError(f"the CLIP {name!r} lacks {len(missing)} of its weights, such as {missing[0]}")
        return cls(model.to(device), tokenizer, processor, name)

    def fingerprint(self) -> str:
        """A short name for its weights: another for any other weights."""
        digest = hashlib.sha256()
        for key, weight in sorted(self.model.state_dict().items()):
            digest.update(key.encode())
            digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return f"sha256:{digest.hexdigest()[:16]}"

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> torch.Tensor:
        """(prompts, width); what does not fit the model is cut off."""
        length = self.model.config.text_config.max_position_embeddings
        read = self.tokenizer(
            list(prompts), padding=True, truncation=True, max_length=length, return_tensors="pt"
        )
        ids, mask = (read[key].to(self.model.device) for key in ("input_ids", "attention_mask"))
        pooled = self.model.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return self.model.text_projection(pooled).float().cpu()

    @torch.inference_mode()
    def pictures(self, images: Sequence[Image.Image]) -> Features:
        """Features of pictures of any size; the processor scales and crops them."""
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        pixels = pixels.to(self.model.device, self.model.dtype)
        out = self.model.vision_model(pixel_values=pixels, output_hidden_states=True)
        depth = len(out.hidden_states) - 1  # the first are the embeddings
        picked = sorted({-(-depth * part // _LAYERS) for part in range(1, _LAYERS + 1)})
        patches = tuple(out.hidden_states[layer][:, 1:].float().cpu() for layer in picked)
        return Features(self.model.visual_projection(out.pooler_output).float().cpu(), patches)


def _check_place(where: str) -> None:
    """Is a name a folder with a config, or may it be a hub id?

    Raises:
        ValueError: it is neither.
    """
    shown = shortened(repr(where), 80)
    with told_as(f"the CLIP {shown} cannot be read", OSError):  # a name that is too long
        place = Path(where)
        is_folder, is_there, has_config = place.is_dir(), place.exists(), (place / "config.json").is_file()
    if where and is_folder:
        if not has_config:
            raise ValueError(f"the CLIP {shown} cannot be read: the folder holds no config.json")
    elif not HUB_ID.fullmatch(where) or is_there:
        raise ValueError(
            f"there is no CLIP {shown}: give a folder that exists, a hub id such as owner/name, or {_SHIPPED}"
        )


def shipped_clip(name: str) -> str | None:
    """The folder of a world's own CLIP, "world/clip"; None where the name is of another kind.

    Raises:
        ValueError: it is not there.
    """
    shipped = worlds.split(name)
    if shipped is None or shipped[1] != "clip":
        return None
    folder = shipped[0].folder("clip")
    if not (folder / "config.json").is_file():
        raise ValueError(f"{name} is not shipped with this version: name a CLIP by folder or hub id")
    return str(folder)
