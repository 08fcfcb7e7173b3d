"""Pipelines led by a picture that treat text as the text-to-image pipeline of their family does."""

from __future__ import annotations

RELATIVES: dict[str, str] = {
    "StableDiffusionImg2ImgPipeline": "StableDiffusionPipeline",
    "StableDiffusionInpaintPipeline": "StableDiffusionPipeline",
    "StableDiffusionControlNetPipeline": "StableDiffusionPipeline",
    "StableDiffusionControlNetImg2ImgPipeline": "StableDiffusionPipeline",
    "StableDiffusionControlNetInpaintPipeline": "StableDiffusionPipeline",
    "StableDiffusionXLImg2ImgPipeline": "StableDiffusionXLPipeline",
    "StableDiffusionXLInpaintPipeline": "StableDiffusionXLPipeline",
    "StableDiffusionXLControlNetPipeline": "StableDiffusionXLPipeline",
    "StableDiffusionXLControlNetImg2ImgPipeline": "StableDiffusionXLPipeline",
    "StableDiffusionXLControlNetInpaintPipeline": "StableDiffusionXLPipeline",
    "StableDiffusion3Img2ImgPipeline": "StableDiffusion3Pipeline",
    "StableDiffusion3InpaintPipeline": "StableDiffusion3Pipeline",
    "FluxImg2ImgPipeline": "FluxPipeline",
    "FluxInpaintPipeline": "FluxPipeline",
    "ChromaImg2ImgPipeline": "ChromaPipeline",
    "Flux2KleinInpaintPipeline": "Flux2KleinPipeline",
    "QwenImageImg2ImgPipeline": "QwenImagePipeline",
    "QwenImageInpaintPipeline": "QwenImagePipeline",
    "QwenImageControlNetPipeline": "QwenImagePipeline",
    "ZImageImg2ImgPipeline": "ZImagePipeline",
    "ZImageInpaintPipeline": "ZImagePipeline",
}
"""{pipeline class: the class whose entry of the table describes it}"""
