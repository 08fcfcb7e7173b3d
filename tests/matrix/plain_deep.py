"""The deep grid the slow way, as a yardstick: blocks with another `forward`, and maps resampled by a DCT.

It shares nothing with the package but the config.
"""

import contextlib
import itertools
import math
import re
from fractions import Fraction

import torch
from scipy.fft import dctn, idctn
from torch.nn import functional as F


class DeepStep:
    """What one step of a run does to a UNet of any levels.

    Attributes:
        active: whether the deep blocks are on the grid.
    """

    def __init__(self, unet, config, latent, scale, step, steps):
        self.unet, self.levels = unet, len(unet.down_blocks)
        self.first = min(int(n) for n in re.findall(r"down_blocks\.(\d)", " ".join(config.layers)))
        times = math.sqrt(math.prod(latent) * scale**2 / math.prod(config.training_sizes[0]))
        phases = config.grid_phases or ((0.8, 1.0),)
        now = [size for until, size in phases if step < math.floor(until * steps + 0.5)]
        smaller = max(times / now[0], 1) if now else 1
        self.active = smaller > 1
        self.full = _halved(latent, self.levels)
        self.training = _halved([round(side / times) for side in latent], self.levels)
        grid = _grid(self.full[self.first], smaller, 2 ** (self.levels - 1 - self.first))
        self.small = dict(
            zip(range(self.first, self.levels), _halved(grid, self.levels - self.first), strict=True)
        )

    def arguments(self, args, kwargs):
        """A UNet's arguments; what is added to deep maps has their size."""
        if not self.active:
            return args, kwargs
        kwargs = dict(kwargs)
        mid, down, within = (
            kwargs.get(f"{name}_additional_residual{s}")
            for name, s in (("mid_block", ""), ("down_block", "s"), ("down_intrablock", "s"))
        )
        if mid is not None:
            kwargs["mid_block_additional_residual"] = self._smaller(mid)
            # The first map as large as those of the first deep level is made before them.
            before = [_size(maps) for maps in down].index(self.full[self.first])
            deep = [self._smaller(maps) for maps in down[before + 1 :]]
            kwargs["down_block_additional_residuals"] = [*down[: before + 1], *deep]
        if within is not None:  # one a block
            kwargs["down_intrablock_additional_residuals"] = [
                maps if block < self.first else self._smaller(maps) for block, maps in enumerate(within)
            ]
        return args, kwargs

    def _smaller(self, maps):
        level = self.full.index(_size(maps)) if _size(maps) in self.full else None
        return maps if level is None else cosines(maps, self.small[level])  # adapters make more than are used

    @contextlib.contextmanager
    def within(self, weak):
        """The UNet's blocks work on the grid, and its self-attentions outside of it see tokens as in training."""
        with contextlib.ExitStack() as undo:
            for module, forward in itertools.chain(self._blocks(weak) if self.active else (), self._keys()):
                module.forward = forward
                undo.callback(delattr, module, "forward")
            yield

    def _blocks(self, weak):
        first = self.small[self.first]
        onto = F.adaptive_avg_pool2d if weak else cosines
        entry = self.unet.down_blocks[self.first]

        def enter(hidden_states, *args, own=entry.forward, **kwargs):
            return own(onto(hidden_states, first), *args, **kwargs)

        yield entry, enter
        for level in range(self.first + 1, self.levels):
            block = self.unet.up_blocks[self.levels - 1 - level]

            def told(*args, own=block.forward, size=self.small[level - 1], **kwargs):
                return own(*args, **kwargs | {"upsample_size": size})

            yield block, told
        exit_ = self.unet.up_blocks[self.levels - 1 - self.first]

        def leave(*args, own=exit_.forward, res_hidden_states_tuple, upsample_size=None, **kwargs):
            joining, *rest = res_hidden_states_tuple
            maps = own(*args, res_hidden_states_tuple=(onto(joining, first), *rest), **kwargs)
            return cosines(maps, self.full[self.first - 1])

        yield exit_, leave

    def _keys(self):
        for level in range(self.first if self.active else self.levels):
            index = _places(self.full[level], self.training[level])
            blocks = [self.unet.down_blocks[level], self.unet.up_blocks[self.levels - 1 - level]]
            if level == self.levels - 1 and self.unet.mid_block is not None:
                blocks.append(self.unet.mid_block)
            for block in blocks:
                for name, attention in block.named_modules():
                    for layer in (attention.to_k, attention.to_v) if name.endswith("attn1") else ():
                        yield (
                            layer,
                            lambda x, *rest, own=layer.forward, at=index, **more: own(
                                x[:, at], *rest, **more
                            ),
                        )


def cosines(maps, size):
    """Maps of another size with the lowest cosines that both have."""
    coefficients = dctn(maps.double().numpy(), axes=(-2, -1), norm="ortho")
    height, width = (min(pair) for pair in zip(_size(maps), size, strict=True))
    kept = torch.zeros(*maps.shape[:-2], *size, dtype=torch.float64).numpy()
    kept[..., :height, :width] = coefficients[..., :height, :width]
    louder = math.sqrt(math.prod(size) / math.prod(_size(maps)))
    return torch.from_numpy(idctn(kept, axes=(-2, -1), norm="ortho") * louder).to(maps.dtype)


def _size(maps):
    return tuple(maps.shape[-2:])


def _halved(size, levels):
    """Of the maps at each level, from this size downward."""
    sizes = [tuple(size)]
    while len(sizes) < levels:
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    return sizes


def _grid(full, smaller, multiple):
    """Of the multiples no larger than the map, on each axis that which is fewest times too large or too small."""

    def nearest(side):
        multiples = range(multiple, side + multiple, multiple)
        possible = sorted({min(n, side) for n in multiples})
        return min(possible, key=lambda n: round(abs(math.log(n * smaller / side)), 9))

    return tuple(map(nearest, full))


def _places(full, training):
    """Of a map's tokens, row by row, those at or next before the middle of equal parts, as many as in training."""

    def along(side, count):
        count = min(side, count)
        middles = [Fraction(2 * i + 1, 2 * count) * side for i in range(count)]  # from the edge
        return [math.floor(middle - Fraction(1, 2)) for middle in middles]

    rows, columns = (along(*pair) for pair in zip(full, training, strict=True))
    return [row * full[1] + column for row in rows for column in columns]
