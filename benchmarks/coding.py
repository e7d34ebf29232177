"""How close coders come to the entropy, and how fast they are.

A million symbols in 30 columns: discretised Laplace and normal draws of widths from 0.5
to 20, one frequency table per column. The peers are the ANS coder of constriction, with
one categorical model per column, and Huffman codes on bitarray, one per column. Tables,
models and codes are made before the clock starts.

    python -m benchmarks.coding
"""

import importlib.util

import numpy as np

from benchmarks._timing import machine, side_by_side
from sklearn_dae.coding import FrequencyTables, rans_decode, rans_encode
from sklearn_dae.coding._huffman import HuffmanCode

N_ROWS, N_TABLES, N_ROUNDS = 33_334, 30, 7


def draw_symbols(rng):
    """Return symbols from 0 upwards, of ever wider distributions."""
    widths = np.geomspace(0.5, 20, N_TABLES)
    draws = rng.laplace(scale=widths, size=(N_ROWS, N_TABLES))
    draws[:, 1::2] = rng.normal(scale=widths[1::2], size=(N_ROWS, N_TABLES // 2))
    symbols = np.rint(draws).astype(np.int64)
    return symbols - symbols.min(axis=0)


def rans(symbols, tables):
    """Return functions that encode and decode, and the number of coded bytes."""
    data = rans_encode(symbols, tables)
    assert np.array_equal(rans_decode(data, symbols.shape, tables), symbols)
    return (
        lambda: rans_encode(symbols, tables),
        lambda: rans_decode(data, symbols.shape, tables),
        len(data),
    )


def constriction_ans(symbols, tables):
    """Encode each column with the model of its table, as the peer's users would."""
    from constriction import stream

    columns = [np.ascontiguousarray(column, np.int32) for column in symbols.T]
    models = [
        stream.model.Categorical(
            (table / table.sum()).astype(np.float32), perfect=False
        )
        for table in tables
    ]

    def encode():
        coder = stream.stack.AnsCoder()
        for column, model in zip(reversed(columns), reversed(models), strict=True):
            coder.encode_reverse(column, model)
        return coder.get_compressed()

    def decode():
        coder = stream.stack.AnsCoder(words)
        return [coder.decode(model, len(symbols)) for model in models]

    words = encode()
    assert np.array_equal(np.stack(decode(), axis=1), symbols)
    return encode, decode, words.nbytes


def huffman(symbols, tables):
    """Encode each column with its own code."""
    columns = symbols.T
    codes = []
    for column, table in zip(columns, tables, strict=True):
        counts = np.maximum(np.bincount(column, minlength=len(table)), 1)
        codes.append(HuffmanCode(np.arange(len(table)), counts))

    def encode():
        return [
            code.encode(column, column)  # Values are their own indices.
            for code, column in zip(codes, columns, strict=True)
        ]

    def decode():
        return [
            code.decode(data, len(symbols))
            for code, data in zip(codes, coded, strict=True)
        ]

    coded = encode()
    assert np.array_equal(np.stack(decode(), axis=1), symbols)
    return encode, decode, sum(map(len, coded))


def empirical_bits(symbols):
    """Return the entropy of the symbols of each column, times their number."""
    counts = [np.bincount(column) for column in symbols.T]
    return sum(c @ (np.log2(len(symbols)) - np.log2(np.maximum(c, 1))) for c in counts)


def main():
    symbols = draw_symbols(np.random.default_rng(0))
    tables = FrequencyTables.from_symbols(symbols)
    n, n_table_bytes = symbols.size, len(tables.to_bytes())
    n_symbols = sum(map(len, tables))
    print(f"{machine()}\n{n:,} symbols, {N_TABLES} tables; medians of {N_ROUNDS}\n")
    entropy = empirical_bits(symbols) / n
    print(f"{'entropy of the symbols':24}{entropy:9.4f} bits a symbol")
    print(
        f"{'entropy of the tables':24}{tables.bits(symbols).mean():9.4f}"
        f"   at {tables.precision} bits of precision"
    )
    print(
        f"{'tables':24}{8 * n_table_bytes / n:9.4f}   {n_table_bytes:,} bytes, "
        f"{n_table_bytes / n_symbols:.2f} for each of their {n_symbols:,} entries\n"
    )
    coders = {"rANS": rans, "constriction, ANS": constriction_ans, "Huffman": huffman}
    if importlib.util.find_spec("constriction") is None:
        print("constriction is not installed: pip install constriction\n")
        del coders["constriction, ANS"]
    made = {name: make(symbols, tables) for name, make in coders.items()}
    seconds = side_by_side(
        {(name, way): made[name][way] for way in (0, 1) for name in made}, N_ROUNDS
    )
    print(f"{'':24}{'bits':>9}{'over entropy':>14}{'encode':>12}{'decode':>12}")
    for name, (_, _, n_bytes) in made.items():
        encode, decode = (n / np.median(seconds[name, way]) / 1e6 for way in (0, 1))
        print(
            f"{name:24}{8 * n_bytes / n:9.4f}{8 * n_bytes / n / entropy - 1:14.2%}"
            f"{encode:10.0f} M{decode:10.0f} M"
        )
        if name == "rANS":
            total = 8 * (n_bytes + n_table_bytes) / n
            print(f"{'  with its tables':24}{total:9.4f}{total / entropy - 1:14.2%}")
    print("\nM: million symbols a second. Huffman's codes are not counted.")


if __name__ == "__main__":
    main()
