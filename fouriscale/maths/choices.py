"""The words that settings of this room may have. Needs no torch, so that a wrong one is refused at once."""

RESAMPLINGS = ("cosines", "area", "nearest", "bicubic")  # how maps get to another size, see `grid`
BORDERS = ("zeros", "partial", "reflect", "replicate")  # what stands beyond a border, see `convolve`
POSITION_RULES = ("interpolate", "ntk", "yarn")  # what becomes of frequencies, see `positions`
TEMPERATURES = ("none", "yarn", "proportional")
