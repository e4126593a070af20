"""Constants of networks on the device that runs them."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return numbers as a tensor, [n], made once: a copy to the device in each pass would wait for it, and cannot be captured."""
    return torch.tensor(values, dtype=dtype, device=device)
