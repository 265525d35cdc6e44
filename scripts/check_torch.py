"""Compare jaxcnn with PyTorch on PyTorch's own sample inputs (install torch and expecttest first)."""

import collections
import itertools
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import jaxcnn as jc

try:
    import torch
    from torch.testing._internal.common_methods_invocations import op_db
except ImportError as error:
    sys.exit(f"check_torch: {error}; install the CPU build of torch, and expecttest")

SAMPLES = 40
CONV = ("weight", "bias", "stride", "padding", "dilation", "groups")
TRANSPOSED = ("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
MAX = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


def array(tensor):
    return None if tensor is None else tensor.detach().numpy()


def each(value, n):
    """PyTorch's int, or sequence of 1 or n ints, as n ints."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values if len(values) == n else values * n


def named(sample, names):
    return dict(zip(names, sample.args, strict=False)) | sample.kwargs


def ints(given, n, **ours):
    """PyTorch's arguments that were given, by our names, as n ints."""
    return {ours[name]: each(given[name], n) for name in ours if given.get(name) not in (None, ())}


def conv(x, sample, n):
    given = named(sample, CONV)
    options = ints({k: v for k, v in given.items() if not isinstance(v, str)}, n,
                   stride="stride", padding="padding", dilation="dilation")  # fmt: skip
    if isinstance(given.get("padding"), str):
        options["padding"] = given["padding"].upper()
    return jc.conv(x, array(given["weight"]), array(given.get("bias")), groups=given.get("groups", 1), **options)


def conv_transpose(x, sample, n):
    given = named(sample, TRANSPOSED)
    options = ints(given, n, stride="stride", padding="padding", output_padding="output_padding", dilation="dilation")
    weight, bias = array(given["weight"]), array(given.get("bias"))
    return jc.conv_transpose(x, weight, bias, groups=given.get("groups", 1), **options)


def avg_pool(x, sample, n):
    given = named(sample, AVERAGE)
    options = ints(given, n, stride="stride", padding="padding") | {"ceil_mode": given.get("ceil_mode", False)}
    if given.get("divisor_override"):
        options["divisor"] = given["divisor_override"]
    else:
        options["count_include_pad"] = given.get("count_include_pad", True)
    return jc.pool(x, each(given["kernel_size"], n), "mean", **options)


def max_pool(x, sample, n):
    given = named(sample, MAX)
    options = ints(given, n, stride="stride", padding="padding", dilation="dilation")
    options["ceil_mode"] = given.get("ceil_mode", False)
    values = jc.pool(x, each(given["kernel_size"], n), "max", **options)
    indices = jc.max_pool_with_indices(x, each(given["kernel_size"], n), **options)[1]
    return (values, indices) if given.get("return_indices") else values


def adaptive(x, sample, n, mode):
    given = named(sample, ("output_size", "return_indices"))
    size = given["output_size"]
    outs = (size,) * n if size is None else each(size, n)
    if mode == "max":
        both = jc.adaptive_max_pool_with_indices(x, outs)
        return both if given.get("return_indices") else both[0]
    return jc.adaptive_pool(x, outs, mode)


def max_unpool(x, sample, n, wanted):
    return jc.max_unpool(x, array(named(sample, ("indices",))["indices"]), wanted.shape[-n:])


def unfold(x, sample):
    given = named(sample, ("kernel_size", "dilation", "padding", "stride"))
    size = each(given["kernel_size"], 2)
    w = jc.windows(x, size, **ints(given, 2, dilation="dilation", padding="padding", stride="stride"))
    *lead, channels, rows, columns = w.shape[:-2]
    return jnp.moveaxis(w, (-2, -1), (-4, -3)).reshape(*lead, channels * size[0] * size[1], rows * columns)


def ours(name, x, sample, wanted):
    kind, n = (name[:-2], int(name[-2])) if name.endswith("d") and name[-2].isdigit() else (name, 2)
    match kind:
        case "conv" | "conv_transpose" | "avg_pool" | "max_pool":
            return globals()[kind](x, sample, n)
        case "adaptive_avg_pool" | "adaptive_max_pool":
            return adaptive(x, sample, n, "max" if "max" in kind else "mean")
        case "max_unpool":
            return max_unpool(x, sample, n, wanted)
        case "unfold":
            return unfold(x, sample)
    return None


def agrees(ours, theirs) -> bool:
    a, b = np.asarray(ours), array(theirs)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=1e-12 * np.abs(b).max(initial=1)))


def main() -> int:
    warnings.simplefilter("ignore")
    jax.config.update("jax_enable_x64", True)
    counts = collections.Counter()
    for op in op_db:
        name = op.name.removeprefix("nn.functional.")
        if name == op.name or torch.float64 not in op.dtypes:
            continue
        for sample in itertools.islice(op.sample_inputs("cpu", torch.float64), SAMPLES):
            theirs = op(sample.input, *sample.args, **sample.kwargs)
            theirs = theirs if isinstance(theirs, tuple) else (theirs,)
            result = ours(name, array(sample.input), sample, theirs[0])
            if result is None:
                break
            result = result if isinstance(result, tuple) else (result,)
            counts[name, all(map(agrees, result, theirs))] += 1
    for (name, agreed), count in sorted(counts.items()):
        print(f"{name:<22} {count:>4} {'agree' if agreed else 'DIFFER'}")
    agreed = sum(count for (_, fine), count in counts.items() if fine)
    print(f"{agreed} of {counts.total()} samples agree to 1e-12 (torch {torch.__version__})")
    return 0 if counts and agreed == counts.total() else 1


if __name__ == "__main__":
    sys.exit(main())
