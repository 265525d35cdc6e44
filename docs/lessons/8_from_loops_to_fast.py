# %% [markdown] lang="en" minutes=25 needs="5" optimize=true
# # 8. From loops to fast
#
# One layer, computed in six ways that give the same numbers. From the slowest to the fastest lies a factor of hundreds,
# and hardly any of it is arithmetic: every way multiplies the same numbers. What differs is how often a number is
# fetched, and by whom. The times on this page were measured once, on the machine named below while it did nothing else;
# the notebook measures yours. Yours will differ, their order hardly.

# %% [markdown] lang="zh" minutes=25 needs="5" optimize=true
# # 8. 从循环到飞快
#
# 同一个层，用六种办法来算，结果完全一样。最慢与最快之间差了几百倍，而这几乎与运算量无关：每种办法做的乘法是同一批。不
# 同的是每个数被取了多少次，又由谁去取。本页的时间是在下面写明的机器上、没有别的任务时测得的；下载的 notebook 测的是你
# 自己的机器。换一台机器数字会变，快慢的次序大体不变。

# %%
import json
import math
import os
import statistics
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import drawing
import jaxcnn as jc

samples, ins, outs, side, window, padding = 8, 16, 16, 28, 5, 2
random = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(random.standard_normal(shape, np.float32))


x, k = normal(samples, ins, side, side), normal(outs, ins, window, window)
c = normal(samples, outs, side, side)  # what the gradient will be given

cells = samples * outs * side * side
multiply_adds = cells * ins * window**2
assert multiply_adds == 40_140_800
print(
    f"{cells:,} output cells of {ins * window**2} products each: {multiply_adds:,} multiply-adds"
)

# %% [markdown] lang="en"
# A fair time needs care. JAX compiles at the first call and returns before the result is there, so: one call to warm
# up, `block_until_ready` inside the clock, and the median of as many calls as there is time for, which a hiccup
# cannot move.

# %% [markdown] lang="zh"
# 计时要公平，得讲究一点。JAX 第一次调用时要编译，而且结果还没算好就先返回了，所以：先空跑一次热身，
# 把 `block_until_ready` 算进计时里，时间允许就多跑几次取中位数，偶尔卡一下也不受影响。


# %%
# The times of the site; where that file is not, all of them are measured.
KEPT = Path("lessons/8_times.json")
known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
print("measured on", known.get("machine", "this machine"))


def measured(name, call, seconds=0.5):
    """The result of a call, and the milliseconds that it takes."""
    result = jax.block_until_ready(call())
    if name not in known:
        each, end = [], time.perf_counter() + seconds
        while not each or (time.perf_counter() < end and len(each) < 100):
            begin = time.perf_counter()
            jax.block_until_ready(call())
            each.append(1e3 * (time.perf_counter() - begin))
        known[name] = statistics.median(each)
    return result, known[name]


forward, backward = {}, {}

# %% [markdown] lang="en"
# ## 1. Loops
#
# The definition, as the starting text writes it: four loops in Python, and NumPy for the products of one window. A
# hundred thousand times the interpreter cuts a window out, multiplies and sums 400 numbers. The arithmetic of a
# window takes a fraction of a microsecond; the rest is the interpreter's. The gradient, by lesson 5, is the same
# loop: the kernel's gradient collects what was seen, the map's gradient lays kernels down.

# %% [markdown] lang="zh"
# ## 1. 循环
#
# 照着定义写，跟原文一样：Python 里四层循环，窗口内的乘积交给 NumPy。解释器要十万次地切出窗口，
# 把 400 个数相乘再求和。一个窗口的算术用不了一微秒的零头，其余时间全归解释器。按第 5 课，梯度也是同样的循环：
# 卷积核的梯度收集它见过的数，特征图的梯度把卷积核铺回去。


# %%
def by_loops(x, k):
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    y = np.zeros((samples, outs, side, side), np.float32)
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = (padded[n, :, i : i + window, j : j + window] * k[o]).sum()
    return y


def gradient_by_loops(x, k, c):
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    dx, dk = np.zeros_like(padded), np.zeros_like(k)
    for n, o, i, j in np.ndindex(c.shape):
        dx[n, :, i : i + window, j : j + window] += c[n, o, i, j] * k[o]
        dk[o] += c[n, o, i, j] * padded[n, :, i : i + window, j : j + window]
    return dx[:, :, padding:-padding, padding:-padding], dk


arrays = [np.array(a) for a in (x, k, c)]
y, forward["1 loops"] = measured("1 loops", lambda: by_loops(*arrays[:2]))
gradients, backward["1 loops"] = measured(
    "1 loops, gradient", lambda: gradient_by_loops(*arrays)
)


def add(name, layer):
    """Check a way against the loops, and take its times."""

    def gradient(x, k):
        return jax.grad(lambda x, k: jnp.sum(c * layer(x, k)), argnums=(0, 1))(x, k)

    if "op by op" not in name:
        layer, gradient = jax.jit(layer), jax.jit(gradient)
    result, forward[name] = measured(name, lambda: layer(x, k))
    results, backward[name] = measured(f"{name}, gradient", lambda: gradient(x, k))
    for ours, theirs in zip((result, *results), (y, *gradients), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
    print(f"{name}: {forward[name]:,.2f} ms, its gradient {backward[name]:,.2f} ms")


print(
    f"1 loops: {forward['1 loops']:.0f} ms, its gradient {backward['1 loops']:.0f} ms"
)

# %% [markdown] lang="en"
# ## 2. Windows under `vmap`, op by op
#
# The same thought without loops: say what happens at one output cell, `lax.dynamic_slice`, multiply, sum, and let
# `vmap` run it over positions, output channels and samples. Python now speaks three sentences in all, not a hundred
# thousand. But each sentence is carried out by itself, and between two of them everything stands in memory: the
# windows, 2.5 million numbers, and then *all 40 million products*, 160 MB, written out only to be read again and
# summed.

# %% [markdown] lang="zh"
# ## 2. 用 `vmap` 排开窗口，逐条执行
#
# 思路不变，只是去掉循环：说清楚一个输出格上要做什么，即 `lax.dynamic_slice`、相乘、求和，再让 `vmap` 跑遍所有位置、
# 输出通道和样本。Python 从说十万句话变成总共说三句。但每句话是单独执行的，两句之间，所有中间结果都得放在内存里：
# 先是窗口，250 万个数；然后是*全部四千万个乘积*，160 MB，写出去只是为了马上读回来求和。

# %%
starts = jnp.stack(
    jnp.meshgrid(jnp.arange(side), jnp.arange(side), indexing="ij"), -1
).reshape(-1, 2)


def by_definition(x, k):
    padded = jnp.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])

    def at(sample, kernel, start):
        return jnp.sum(
            lax.dynamic_slice(sample, (0, *start), kernel.shape) * kernel
        )

    at_each_position = jax.vmap(at, (None, None, 0))
    with_each_kernel = jax.vmap(at_each_position, (None, 0, None))
    for_each_sample = jax.vmap(with_each_kernel, (0, None, None))
    y = for_each_sample(padded, k, starts)
    return y.reshape(samples, outs, side, side)


assert samples * side**2 * ins * window**2 == 2_508_800
add("2 definition, op by op", by_definition)

# %% [markdown] lang="en"
# ## 3. The same, compiled
#
# `jax.jit` changes no letter of it. The compiler sees the three sentences together and fuses them: a product is added
# to its sum as soon as it is there and never reaches memory. What it doesn't see is that this is a matrix product in
# disguise. It still picks the cells of each window one by one by computed addresses (a gather), and the gradient has
# to put them back one by one (a scatter). The library's `method="definition"` is this way.

# %% [markdown] lang="zh"
# ## 3. 同样的代码，编译之后
#
# `jax.jit` 一个字也不改。编译器把三句话放在一起看，融合成一句：每个乘积一算出来就加进和里，根本不进内存。
# 它看不出来的是，这其实是一个改头换面的矩阵乘法；它仍然按算出来的地址，一格一格地取窗口里的数（gather），
# 求梯度时再一格一格地放回去（scatter）。本库的 `method="definition"` 就是这种算法。

# %%
add("3 definition, compiled", by_definition)

# %% [markdown] lang="en"
# ## 4. All windows as columns, one matrix product
#
# Lay the windows out as the columns of a matrix of 400 rows (`ins * window * window`) and 6,272 columns
# (`samples * side * side`), the kernels as a matrix of 16 rows and 400 columns. The layer is their product:

# %% [markdown] lang="zh"
# ## 4. 窗口排成列，一次矩阵乘法
#
# 把所有窗口排成矩阵的列，共 400 行（`ins * window * window`）、6272 列（`samples * side * side`）；卷积核排成 16 行、
# 400 列的矩阵。整个层就是两个矩阵的乘积，这个办法通常叫 im2col：

# %%
columns = jnp.moveaxis(
    jc.windows(x, (window, window), padding=padding), 0, 1
)  # ins, samples, *side, *window
columns = jnp.moveaxis(columns, (-2, -1), (1, 2)).reshape(
    ins * window**2, samples * side**2
)
product = k.reshape(outs, -1) @ columns
assert columns.shape == (400, 6272)
assert np.allclose(
    np.moveaxis(product.reshape(outs, samples, side, side), 0, 1), y, atol=1e-3
)

add("4 windows", lambda x, k: jc.conv2d(x, k, padding=padding, method="windows"))

# %% [markdown] lang="en"
# Why is this so much faster than way 3, though it copies every cell of the map up to 25 times? Because of what a
# matrix product may do with the numbers it has fetched. It works on small tiles that stay in registers and cache: a
# tile of columns meets a tile of kernels, and each number of the columns serves all 16 kernels while it is at hand.
# The copies are made by slices, one a tap, and each moves long rows. And the gradient consists of two more matrix
# products.
#
# ## 5. Fewer copies: rows
#
# Two windows side by side share four columns out of five; copying them five times over is a waste. So unroll only the
# vertical axis: 5 copies, not 25. The product then gives, for each horizontal tap, its share in *every* cell of a
# row, and the five shares are shifted and summed. A little more output to add up, much less to copy:

# %% [markdown] lang="zh"
# 特征图的每一格最多要抄 25 遍，为什么反而比第 3 种快这么多？关键在于取来的数能派多少用场。矩阵乘法分成小块来做，
# 小块就留在寄存器和缓存里：一块列遇上一块核，列里的每个数取来一次，16 个核都用得上。抄写则是用切片完成的，
# 每个权重一次，每次搬运的都是长长的整行。梯度也不过是再做两次矩阵乘法。
#
# ## 5. 少抄一点：rows
#
# 左右相邻的两个窗口，五列里有四列相同，抄五遍是浪费。那就只展开竖直方向：抄 5 遍而不是 25 遍。
# 乘积给出的是每个水平位置的权重在整行*每一格*上的那一份，再把五份错开相加。要加的多了一点，要抄的少了许多：

# %%
wide = side + 2 * padding
copied = {
    "map": ins * wide**2,
    "windows": ins * window**2 * side**2,
    "rows": (ins + outs) * window * side * wide,
}
for name, numbers in copied.items():
    print(f"{name:8} {numbers:9,} numbers laid out for a sample")
assert copied["rows"] < copied["windows"] / 2

add("5 rows", lambda x, k: jc.conv2d(x, k, padding=padding, method="rows"))

# %% [markdown] lang="en"
# ## 6. `auto`
#
# By default the library chooses, from the shapes alone, before anything is computed. For a layer like this one it
# counts what `windows` and `rows` would lay out, as we just did, and takes the smaller; for the gradients it may
# choose differently.
#
# <!-- picture: Milliseconds of the six ways on a logarithmic scale, forward and gradient: from hundreds of
# milliseconds in loops each way is faster than the one before it, down to one or two by rows and auto -->

# %% [markdown] lang="zh"
# ## 6. `auto`
#
# 默认由库自己选，只看形状，在计算之前就定下来。对于这样的层，
# 它像我们刚才那样数一数 `windows` 和 `rows` 各要摆出多少个数，取少的那个；求梯度时，选择可以不同。
#
# <!-- picture: 六种办法的毫秒数（对数坐标），分前向和梯度：从循环的几百毫秒逐个变快，
# 一路降到 rows 和 auto 的一两毫秒 -->

# %%
add("6 auto", lambda x, k: jc.conv2d(x, k, padding=padding))

# %% tags=["hide-input"]
picture, axes = drawing.plots(width=7.5, height=3.2)
names = list(forward)[::-1]
for offset, times, colour, label in (
    (0.2, forward, drawing.BLUE, "forward"),
    (-0.2, backward, drawing.ORANGE, "gradient"),
):
    places = np.arange(len(names)) + offset
    axes.barh(
        places,
        [times[name] for name in names],
        0.36,
        color=colour,
        label=label,
        log=True,
    )
    for place, name in zip(places, names, strict=True):
        axes.text(
            1.1 * times[name],
            place,
            f"{times[name]:,.{0 if times[name] >= 100 else 2}f}",
            va="center",
            fontsize=8,
        )
axes.set_yticks(range(len(names)), names)
axes.set(xlabel="milliseconds (log scale)", xlim=(None, 4 * max(backward.values())))
axes.legend(frameon=False, loc="lower right")
picture

# %% [markdown] lang="en"
# The same in another unit: how many multiply-adds a nanosecond. The arithmetic is the same for all, so this is the
# share of the machine that each way puts to use.

# %% [markdown] lang="zh"
# 换个单位再看：每纳秒做多少次乘加。既然大家的运算量一样，这个数就说明每种办法用上了机器的几分本事。

# %%
for name, time_taken in forward.items():
    per_nanosecond = multiply_adds / time_taken / 1e6
    ratio = forward["1 loops"] / time_taken
    print(
        f"{name:24} {per_nanosecond:8.3f} multiply-adds a nanosecond, {ratio:6.0f} times as fast as the loops"
    )

# %% [markdown] lang="en"
# ## Other layers, other winners
#
# No way is the best for all layers, which is why there are several. Three more of the library's ways:
#
# - `shifts`: the whole map times one tap, shifted, and all taps summed in one loop. Nothing is copied. It suits
#   layers with few products per cell, above all *depthwise* ones, where each channel has a kernel of its own: there a
#   matrix product would have a single row, and nothing to reuse.
# - `fft`: by the convolution theorem a product of Fourier transforms, whose cost doesn't grow with the window. It
#   pays for large windows; of all ways it alone saves arithmetic.
# - `xla`: XLA's own convolution. On a CPU good for dense layers with very many channels, and poor for depthwise ones;
#   on a GPU the choice for nearly everything.
#
# <!-- picture: For four layers the milliseconds of each way, with a circle around what auto took -->

# %% [markdown] lang="zh"
# ## 换一种层，换一个赢家
#
# 没有哪种办法对所有的层都最好，所以库里备了好几种。还有三种：
#
# - `shifts`：整张特征图乘上一个权重，错开，所有权重在一个循环里加完，什么都不用抄。适合每格乘积很少的层，
#   尤其是*逐通道*（depthwise）的层：每个通道只有自己的一个核，矩阵乘法只剩一行，没有什么可以重复利用。
# - `fft`：按卷积定理，先做傅里叶变换再相乘，代价不随窗口变大。窗口大才划算；所有办法里，只有它真正省了运算。
# - `xla`：XLA 自带的卷积。在 CPU 上，通道极多的普通层用它不错，逐通道的层用它很糟；在 GPU 上，几乎什么都用它。
#
# <!-- picture: 四种层上每种办法的毫秒数，圆圈标出 auto 的选择 -->

# %%
WAYS = ("windows", "rows", "shifts", "fft", "xla", "auto")
LAYERS = {  # x, kernel, groups, the ways that would take too long to compile
    "this one": (x.shape, k.shape, 1, ()),
    "depthwise 3x3": ((4, 64, 56, 56), (64, 1, 3, 3), 64, ()),
    "depthwise 21x21": (
        (1, 16, 48, 48),
        (16, 1, 21, 21),
        16,
        ("windows", "shifts"),
    ),
    "256 channels 3x3": ((2, 256, 14, 14), (256, 256, 3, 3), 1, ("shifts", "fft")),
}
by_layer = {}
print(f"{'milliseconds':18}", *(f"{way:>8}" for way in WAYS))
for name, (shape, kernel_shape, groups, skipped) in LAYERS.items():
    a, b = normal(*shape), normal(*kernel_shape)
    by_layer[name] = {}
    for way in WAYS:
        if way not in skipped:
            layer = jax.jit(
                partial(jc.conv2d, padding="SAME", groups=groups, method=way)
            )
            _, by_layer[name][way] = measured(
                f"{name}: {way}", partial(layer, a, b)
            )
    print(
        f"{name:18}",
        *(
            f"{by_layer[name][way]:8.2f}" if way in by_layer[name] else f"{'-':>8}"
            for way in WAYS
        ),
    )

# %% tags=["hide-input"]
picture, axes = drawing.plots(width=7.5, height=2.8)
colours = (
    drawing.BLUE,
    drawing.GREEN,
    drawing.ORANGE,
    drawing.PURPLE,
    drawing.PALE,
)
for way, colour, marker in zip(WAYS[:-1], colours, "osD^v", strict=True):
    points = [
        (times[way], -n)
        for n, times in enumerate(by_layer.values())
        if way in times
    ]
    axes.semilogx(
        *zip(*points, strict=True), marker, color=colour, label=way, markersize=7
    )
chosen = [(times["auto"], -n) for n, times in enumerate(by_layer.values())]
axes.semilogx(
    *zip(*chosen, strict=True),
    "o",
    markersize=14,
    markerfacecolor="none",
    color=drawing.INK,
    label="auto",
)
axes.set_yticks(-np.arange(len(by_layer)), by_layer)
axes.set(xlabel="milliseconds (log scale)", ylim=(-len(by_layer) + 0.5, 0.5))
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
picture

# %% [markdown] lang="en"
# Each row is a layer, each mark a way; the circle is what `auto` took. Reading along the rows: the dense layer
# belongs to the matrix products, the depthwise one to `shifts`, the large window to `fft`, and among 256 channels the
# ways that end in one big matrix product lie close together. The rules by which `auto` chooses, each with the
# measurement behind it, stand in `jaxcnn/_engine/platforms/cpu.py`; the benchmarks
# are under [results](../results.md).
#
# ## Exercises
#
# 1. A layer with 64 channels in and out and a 3 x 3 window, on 32 images of 224 x 224, float32, "SAME". How much
#    memory would the columns of `windows` take?
# 2. Let stride and window be equal: patches that don't overlap, as in a vision transformer. How many copies of a cell
#    are there now?
# 3. The Fourier transform of a 48 x 48 map, padded to 68 x 68, costs about $5 n \log_2 n$ operations for $n = 68^2$
#    cells. Depthwise, with one transform there and one back, from which window on is that less than the direct sum's
#    $2 w^2 \cdot 48^2$?

# %% [markdown] lang="zh"
# 每一行是一种层，每个记号是一种办法，圆圈是 `auto` 的选择。逐行看：普通的层归矩阵乘法，逐通道的层归 `shifts`，
# 大窗口归 `fft`；到了 256 个通道，凡是归结为一次大矩阵乘法的办法都相差不多。`auto` 的规则连同每一条背后的测量，
# 都写在 `jaxcnn/_engine/platforms/cpu.py` 里；基准测试见
# <a href="../../results.html">结果（英文）</a>。
#
# ## 练习
#
# 1. 一个层，输入输出都是 64 个通道，3×3 窗口，32 张 224×224 的图像，float32，"SAME" 填充。
#    `windows` 的列要占多少内存？
# 2. 让步幅等于窗口：各块互不重叠，就像视觉 Transformer 里那样。这时每一格要抄几遍？
# 3. 48×48 的特征图补成 68×68 再做傅里叶变换，$n = 68^2$ 格，大约要 $5 n \log_2 n$ 次运算。逐通道的层正、
#    反变换各一次，窗口从多大起，它比直接求和的 $2 w^2 \cdot 48^2$ 次更省？

# %% [markdown] lang="en"
# ### Answers
#
# 1. 3.7 GB, nine times the map. That is why the library works through a large batch in blocks that fit into the
#    cache.

# %% [markdown] lang="zh"
# ### 答案
#
# 1. 3.7 GB，是特征图的九倍。所以批量大的时候，本库会切成放得进缓存的小块来做。

# %%
gigabytes = 32 * 64 * 9 * 224**2 * 4 / 1e9
assert round(gigabytes, 1) == 3.7

# %% [markdown] lang="en"
# 2. One: each cell lies in one window. The columns are the map itself in another order, a reshape.

# %% [markdown] lang="zh"
# 2. 一遍：每一格只属于一个窗口。列就是特征图本身，换个次序而已，一次 reshape 就够了。

# %%
patches = jc.windows(x, (4, 4), stride=4)
assert patches.size == x.size

# %% [markdown] lang="en"
# 3. From 12 x 12 on, by this count. (The kernel has to be transformed too, but once for all samples.) The library
#    waits until the transform is three times as fast, since it rounds coarser: measured for depthwise layers, from 900
#    taps on, 30 x 30.

# %% [markdown] lang="zh"
# 3. 照这样数，从 12×12 起。（卷积核也要变换，但对所有样本只做一次。）FFT 的舍入更粗，所以本库要等它快到三倍才改用它：
#    对逐通道卷积实测，从 900 个权重（30×30）起。

# %%
n = 68**2
transforms = 2 * 5 * n * math.log2(n)
first = next(w for w in range(1, 49) if 2 * w**2 * 48**2 > transforms)
first

# %% tags=["remove-cell"]
if KEPT.parent.is_dir() and not KEPT.exists():  # python docs/_lessons.py 8
    known["machine"] = os.environ.get("MACHINE", "this machine")
    KEPT.write_text(json.dumps(known, indent=1) + "\n")
