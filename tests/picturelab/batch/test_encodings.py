import pytest
import torch

from picturelab.batch.encodings import EncodingCache, finite

WHAT = {"prompt": "a red circle", "model": "m"}
TEXT = {"prompt_embeds": torch.arange(6.0).reshape(1, 2, 3)}


def test_an_encoding_comes_back_bit_for_bit(tmp_path):
    EncodingCache(tmp_path).put(WHAT, TEXT)
    cache = EncodingCache(tmp_path)  # nothing in memory
    assert torch.equal(cache.get(WHAT)["prompt_embeds"], TEXT["prompt_embeds"])
    assert cache.get(WHAT | {"prompt": "a"}) is None
    assert cache.get(WHAT | {"model": "n"}) is None
    assert (cache.misses, cache.hits) == (0, 1)


def test_a_damaged_file_counts_as_none(tmp_path):
    EncodingCache(tmp_path).put(WHAT, TEXT)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert EncodingCache(tmp_path).get(WHAT) is None


@pytest.mark.parametrize("folder", ["full", "file/x"])
def test_without_room_it_stays_in_memory(tmp_path, folder):
    (tmp_path / "file").write_text("")
    cache = EncodingCache(tmp_path / folder, room=10 if folder == "full" else 10**6)
    cache.put(WHAT, TEXT)
    assert cache.get(WHAT) is not None
    assert EncodingCache(tmp_path / folder).get(WHAT) is None
    assert not (tmp_path / folder).exists()


def test_memory_is_bounded(tmp_path):
    cache = EncodingCache(tmp_path, room=0)
    for i in range(400):
        cache.put({"prompt": str(i)}, TEXT)
    assert len(cache._held) == 256
    assert cache.get({"prompt": "399"}) is not None
    assert cache.get({"prompt": "0"}) is None


def test_finite():
    assert finite(TEXT | {"mask": torch.ones(2, dtype=torch.bool)})
    assert not finite({"rows": [TEXT["prompt_embeds"], torch.tensor([float("nan")])]})
