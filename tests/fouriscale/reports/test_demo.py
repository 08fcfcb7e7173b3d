import pytest

from fouriscale.reports.demo import JudgedPicture, lay_out
from shapeworld import check, sample_scenes


@pytest.mark.slow
def test_every_picture_is_on_the_page_untouched():
    pairs = []
    for size in ((64, 64), (64, 96)):
        for scene in sample_scenes(2, seed=3, objects=1):
            image = scene.render(*size)
            pairs.append(
                tuple(
                    JudgedPicture(scene, method, image, check(image, scene))
                    for method in ("direct", "FouriScale")
                )
            )
    page = lay_out(pairs)
    found = 0
    for pair in pairs:
        width, height = pair[0].image.size
        target = pair[0].image.tobytes()
        for top in range(page.height - height + 1):
            for left in range(page.width - width + 1):
                if page.getpixel((left + 32, top + 32)) != pair[0].image.getpixel((32, 32)):
                    continue
                found += page.crop((left, top, left + width, top + height)).tobytes() == target
    assert found == 8
