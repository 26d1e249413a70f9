"""Keys and values of the tokens of one sequence, layer by layer: what a decode step does not compute again."""

import torch
from torch import Tensor

from autoglm_phone.models.text.config import DecoderConfig


class KvCache:
    """Room for `capacity` tokens, taken once. `length` tokens are in it; the decoder counts them after each step."""

    def __init__(
        self,
        config: DecoderConfig,
        capacity: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (config.num_layers, capacity, config.num_kv_heads, config.head_size)
        self._keys = torch.zeros(shape, dtype=dtype, device=device)
        self._values = torch.zeros(shape, dtype=dtype, device=device)
        self.capacity = capacity
        self.length = 0

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """keys, values (T, K, D) of new tokens -> views (length + T, K, D) of all.

        Raises ValueError if they do not fit.
        """
        end = self.length + len(keys)
        if end > self.capacity:
            raise ValueError(f"{end} tokens do not fit a cache of {self.capacity}")
        self._keys[layer, self.length : end] = keys
        self._values[layer, self.length : end] = values
        return self._keys[layer, :end], self._values[layer, :end]

    def count(self, num_tokens: int) -> None:
        """All layers have put these tokens."""
        self.length += num_tokens

    def rewind(self, length: int) -> None:
        """Forgets what is behind the first `length` tokens."""
        assert 0 <= length <= self.length
        self.length = length
