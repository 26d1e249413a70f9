"""How weights are held in fewer bits: codes, and a scale for each group of columns. A shape only; no number is here."""

from dataclasses import dataclass
from typing import Literal

SCALE_BYTES = 2


@dataclass(frozen=True)
class PackedForm:
    """group: columns that share a scale of 16 bits.

    In 8 bits codes go from -127 to 127; in 4 bits the number of largest magnitude of a group becomes -8. Weights that
    come from a file of the same form stay what they are.
    """

    bits: Literal[8, 4]
    group: int

    def size_bytes(self, num_elements: int) -> int:
        return num_elements * self.bits // 8 + num_elements // self.group * SCALE_BYTES


Q8_0 = PackedForm(8, 32)  # as in GGUF files
