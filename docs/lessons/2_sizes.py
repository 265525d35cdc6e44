# %% [markdown] lang="en" minutes=25 needs="1"
# # 2. Padding, stride and the size rule
#
# How large is the output? Everyone has seen the formula; few could write it down a week later. Nobody needs to
# remember it who can count: it is the number of places where a window may start.

# %% [markdown] lang="zh" minutes=25 needs="1"
# # 2. 填充、步幅与尺寸公式
#
# 输出有多大？公式人人都见过，一个星期后还写得出来的人就不多了。其实不必背，会数数就够了：输出的尺寸，就是窗口的起点有
# 几种放法。

# %%
import itertools

import jax
import jax.numpy as jnp
import numpy as np

import drawing
import jaxcnn as jc

# %% [markdown] lang="en"
# ## Counting starts
#
# One axis is enough, for each axis counts by itself. A map of 7 cells gets one cell of padding at each end: 9
# cells. A window of 3 that moves in steps of 2 can start at 0, 2, 4 and 6. Not at 8: there it would reach beyond
# the end.
#
# <!-- picture: A map of seven cells with one of padding at each end, drawn four times with its window of three, which
# starts at 0, 2, 4 and 6 -->

# %% [markdown] lang="zh"
# ## 数起点
#
# 各个轴互不影响，看一个轴就够了。一张 7 格的图，两端各填充 1 格，共 9 格。宽为 3 的窗口每次移动 2 格，起点可以是 0、
# 2、4、6；8 不行，那样窗口就伸出末端了。
#
# <!-- picture: 7 格的图两端各填充一格，宽 3、步幅 2 的窗口自上而下画了四次，起点依次是 0、2、4、6 -->


# %% tags=["hide-input"]
def draw_windows(axes, size, window, at=(1, 0), title="", *, stride=1, padding=0):
    """The padded map 1 ... size once for each of its windows, one below the other."""
    see = jax.jit(
        lambda row: jc.windows(row, (window,), stride=stride, padding=padding)
    )
    in_a_row = lambda seen: np.concatenate([seen[0], *seen[1:, -stride:]])
    cells, real = (
        in_a_row(see(jnp.arange(1, size + 1))),
        in_a_row(see(jnp.ones(size, int))) > 0,
    )
    row, column = at
    for i in range((len(cells) - window) // stride + 1):
        drawing.feature_map(
            axes, cells, (row + 1.25 * i, column), real=real, shade=False
        )
        drawing.window(axes, (row + 1.25 * i, column + i * stride), (1, window))
    drawing.note(axes, (row - 0.45, column), title, align="left")


picture, axes = drawing.canvas(5.8, 12)
draw_windows(
    axes, 7, 3, title="size 7, padding 1, window 3, stride 2", padding=1, stride=2
)
for line, start in enumerate(range(0, 9 - 3 + 1, 2)):
    drawing.note(
        axes, (1.5 + 1.25 * line, 9.4), f"starts at {start}", align="left", size=9
    )
picture

# %% [markdown] lang="en"
# In Python that sentence is a `range`, and the size of the output is its length. A window of $w$ taps with dilation
# $d$ spans $(w-1)\,d + 1$ cells; the last start is at `padded - span`.

# %% [markdown] lang="zh"
# 用 Python 来说，这就是一个 `range`，输出的尺寸就是它的长度。窗口有 $w$ 格、空洞率为 $d$ 时，跨度是 $(w-1)\,d + 1$
# 格，最后一个可能的起点在 `padded - span`。


# %%
def count(size, window, stride=1, low=0, high=0, dilation=1):
    padded, span = size + low + high, (window - 1) * dilation + 1
    return len(range(0, padded - span + 1, stride))


count(7, 3, stride=2, low=1, high=1)

# %% [markdown] lang="en"
# A range from 0 to $r$ in steps of $s$ has $\lfloor r/s\rfloor + 1$ members. So the length is
#
# $$\left\lfloor\frac{\text{size} + \text{low} + \text{high} - ((\text{window}-1)\cdot\text{dilation}+1)}
# {\text{stride}}\right\rfloor + 1.$$
#
# There is nothing more to it. The $+1$ counts the start at 0, the floor forgets a last step that would reach beyond the
# end.
#
# For readers of the starting text: the $p$ of its formula is the padding of *both ends together*, $p = \text{low} +
# \text{high}$; the `Padding` of its code is that of each end, and so the code has `2*Padding`. The two agree, as long
# as $p$ is not taken for one end's.
#
# `jc.output_size` is this rule; here it is held against counting, in every small case:

# %% [markdown] lang="zh"
# 从 0 到 $r$、步长为 $s$ 的等差数列有 $\lfloor r/s\rfloor + 1$ 项。所以输出的尺寸是
#
# $$\left\lfloor\frac{\text{size} + \text{low} + \text{high} - ((\text{window}-1)\cdot\text{dilation}+1)}
# {\text{stride}}\right\rfloor + 1.$$
#
# 公式的意思全在这里：$+1$ 是把起点 0 数进去，向下取整是舍掉会伸出末端的那一步。
#
# 对照原文时要留心：原文公式里的 $p$ 是*两端合计*的填充，即 $p = \text{low} + \text{high}$；它的代码里 `Padding` 却是
# 每一端的填充，所以代码里写的是 `2*Padding`。两者说的是同一件事，只是别把公式里的 $p$ 当成一端的。
#
# `jc.output_size` 就是这个公式；下面把所有小的情形逐一数过，与它对照：

# %%
checked = 0
for case in itertools.product(
    range(1, 9), range(1, 5), range(1, 4), range(3), range(3), range(1, 4)
):
    size, window, stride, low, high, dilation = case
    if (window - 1) * dilation + 1 <= size + low + high:
        rule = jc.output_size(
            size, window, stride=stride, padding=((low, high),), dilation=dilation
        )
        assert rule == count(*case)
        checked += 1
checked

# %% [markdown] lang="en"
# The same with sliders, on two axes; the rule below them has your numbers in it.
#
# <div class="playground" data-start="size=7 window=3 stride=2 padding=1"
# data-show="operation size window stride padding mode dilation outputPadding ceil"></div>

# %% [markdown] lang="zh"
# 换成滑块再来一遍，这次是两个轴；滑块下面的公式里就是你选的数。
#
# <div class="playground" data-start="size=7 window=3 stride=2 padding=1"
# data-show="operation size window stride padding mode dilation outputPadding ceil"></div>

# %% [markdown] lang="en"
# ## Padding
#
# Without padding a 3 x 3 window costs a map two rows and two columns in every layer. The cells at the rim also
# count for less. `jc.fold` adds windows back where they came from, so folding windows of ones counts how many
# windows see each cell:
#
# <!-- picture: How many 3x3 windows see each cell of a 5x5 map: with VALID 1 in the corners and 9 in the middle, with
# SAME 4 in the corners, with FULL 9 everywhere -->

# %% [markdown] lang="zh"
# ## 填充
#
# 不填充的话，每过一层 3×3 的窗口，图就少两行两列；边上的格子还会被看得少一些。`jc.fold` 把各个窗口放回原处并相加，所
# 以对全 1 的窗口做 `fold`，得到的就是每一格被多少个窗口看到：
#
# <!-- picture: 5×5 的图在三种填充下每一格被多少个 3×3 窗口看到：VALID 时四角是 1、正中是 9，SAME 时四角是 4，FULL 时
# 处处是 9 -->

# %% [markdown] lang="en"
# <div class="animation" data-picture="padding"></div>

# %% [markdown] lang="zh"
# <div class="animation" data-picture="padding"></div>

# %% tags=["hide-input"]
picture, axes = drawing.canvas(6, 18)
seen = lambda x, padding: jc.fold(
    jc.windows(x, (3, 3), padding=padding), x.shape, padding=padding
)
seen = jax.jit(seen, static_argnames="padding")
for column, padding in ((0, "VALID"), (6.5, "SAME"), (13, "FULL")):
    drawing.feature_map(
        axes, seen(jnp.ones((5, 5)), padding), (1, column), title=padding
    )
picture

# %% [markdown] lang="en"
# Under `"VALID"` a corner is seen once and the middle nine times; with `"FULL"`, all are seen equally often. The
# names:
#
# | `padding=` | at the two ends | windows at stride 1 | used for |
# |---|---|---|---|
# | `"VALID"` | nothing | $n - w + 1$ | only what was measured |
# | `"SAME"` | as little as gives $\lceil n/s\rceil$ windows | $n$ | deep networks |
# | `"FULL"` | $w-1$ and $w-1$ | $n + w - 1$ | polynomial products, lesson 1 |
# | `"CAUSAL"` | $w-1$ and nothing | $n$ | time: no look at the future |
#
# <!-- picture: A map of four cells and a window of three: VALID has two windows, SAME and CAUSAL four, FULL six; dashed
# cells are padding -->

# %% [markdown] lang="zh"
# 用 `"VALID"` 时，四角的格子只被看到一次，正中的被看到九次；用 `"FULL"` 时，每一格被看到的次数相同。常用的填充都有名
# 字：
#
# | `padding=` | 两端填充 | 步幅为 1 时的窗口数 | 用在哪里 |
# |---|---|---|---|
# | `"VALID"` | 不填充 | $n - w + 1$ | 只用测得的数据 |
# | `"SAME"` | 恰好凑出 $\lceil n/s\rceil$ 个窗口 | $n$ | 很深的网络 |
# | `"FULL"` | 两端各 $w-1$ | $n + w - 1$ | 多项式乘法，见第 1 课 |
# | `"CAUSAL"` | 前端 $w-1$，后端不填 | $n$ | 时间序列：不能看到未来 |
#
# <!-- picture: 四格的图、宽 3 的窗口：VALID 有 2 个窗口，SAME 和 CAUSAL 各有 4 个，FULL 有 6 个；虚线格是填充 -->

# %% tags=["hide-input"]
picture, axes = drawing.canvas(9.9, 23)
for at, padding in (
    ((1, 0), "VALID"),
    ((5, 0), "SAME"),
    ((5, 7.5), "CAUSAL"),
    ((2.5, 15), "FULL"),
):
    windows = jc.output_size(4, 3, padding=padding)
    draw_windows(axes, 4, 3, at, f"{padding}: {windows} windows", padding=padding)
picture

# %% [markdown] lang="en"
# When `"SAME"` needs an odd number of cells, the odd one goes to the high end (`"SAME_LOWER"`: to the low end). And
# zeros are not the only thing to pad with. A row of 1 2 3 4, two cells before it and three after, in every mode:
#
# <!-- picture: The row 1 2 3 4 with two cells in front and three behind, one line a mode: constant puts zeros, reflect
# 3 2 and 3 2 1, symmetric 2 1 and 4 3 2, replicate repeats the ends, circular goes round -->

# %% [markdown] lang="zh"
# `"SAME"` 需要填充的格数若是奇数，多出的一格放在后端（`"SAME_LOWER"` 则放在前端）。填充的也不一定是 0。一行 1 2 3 4，
# 前面填两格，后面填三格，各种模式的结果如下：
#
# <!-- picture: 一行 1 2 3 4 前填两格、后填三格，五种模式各占一行：constant 填 0，reflect 得 3 2 与 3 2 1，symmetric
# 得 2 1 与 4 3 2，replicate 重复端点，circular 首尾相接 -->

# %% tags=["hide-input"]
picture, axes = drawing.canvas(6.2, 14.5)
for line, mode in enumerate(
    ("constant", "reflect", "symmetric", "replicate", "circular")
):
    cells = jc.windows(
        jnp.arange(1, 5), (9,), padding=((2, 3),), padding_mode=mode
    )[0]
    drawing.feature_map(
        axes, cells, (1.25 * line, 0), real=abs(np.arange(9) - 3.5) < 2
    )
    drawing.note(axes, (1.25 * line + 0.5, 9.4), f'"{mode}"', align="left")
picture

# %% [markdown] lang="en"
# `"reflect"` mirrors at the last cell, `"symmetric"` at its edge, `"circular"` goes round: longitude on a globe,
# with `"reflect"` for latitude, is `padding_mode=("reflect", "circular")`. A negative pad crops.

# %% [markdown] lang="zh"
# `"reflect"` 以端点那一格为镜面，`"symmetric"` 以它的外边缘为镜面，`"circular"` 首尾相接。比如地球上经度首尾相接、纬
# 度用反射，就写 `padding_mode=("reflect", "circular")`。填充取负数就是裁剪。

# %%
row = jnp.arange(1.0, 6)
print("padding (-1, 0):", jc.correlate(row, jnp.ones(1), padding=((-1, 0),)))

# %% [markdown] lang="en"
# ## Stride, and what is left over
#
# A stride computes nothing new: it keeps every $s$-th answer of stride 1. What it saves is the work for the others.

# %% [markdown] lang="zh"
# ## 步幅与剩下的格子
#
# 步幅不产生新的数，它只是在步幅为 1 的结果里每 $s$ 个取一个，省下的是其余那些的计算。

# %% [markdown] lang="en"
# <div class="animation" data-picture="stride"></div>

# %% [markdown] lang="zh"
# <div class="animation" data-picture="stride"></div>

# %%
data = jax.random.normal(jax.random.key(0), (9, 11))
kernel = jax.random.normal(jax.random.key(1), (3, 2))
every, some = jc.corr2d(data, kernel), jc.corr2d(data, kernel, stride=(2, 3))
assert jnp.allclose(some, every[::2, ::3], atol=1e-5)
every.shape, some.shape

# %% [markdown] lang="en"
# The floor may drop cells at the high end: on 7 cells, windows of 2 at stride 2 never see the last one. In
# `ceil_mode` one more window may hang over the end, as long as it *starts* on the map; the overhang counts for
# nothing.

# %% [markdown] lang="zh"
# 向下取整可能漏掉末端的格子：7 格上用宽 2、步幅 2 的窗口，最后一格没有窗口看到。打开 `ceil_mode`，就允许再多一个伸出
# 末端的窗口，只要它的*起点*还在图上；伸出去的部分不参与计算。

# %%
seven = jnp.arange(1.0, 8)
print("floor:", jc.output_size(7, 2, stride=2), jc.pool1d(seven, 2, "mean"))
ceil = {"ceil_mode": True}
pooled = jc.pool1d(seven, 2, "mean", **ceil)
print("ceil: ", jc.output_size(7, 2, stride=2, **ceil), pooled)
assert pooled[-1] == 7  # 7 / 1, not (7 + 0) / 2

# %% [markdown] lang="en"
# <div class="animation" data-picture="ceil_mode"></div>

# %% [markdown] lang="zh"
# <div class="animation" data-picture="ceil_mode"></div>

# %% [markdown] lang="en"
# ## Dilation
#
# Dilation pulls the taps of a window apart. The number of weights stays the same, the span grows: three taps at
# dilation 2 span five cells.
#
# <!-- picture: On a 7x7 map a 3x3 window of dilation 2 sees nine cells that stand two apart; to the right the 3x3 array
# that they make -->

# %% [markdown] lang="zh"
# ## 空洞
#
# 空洞（dilation，也叫膨胀）让窗口里的格子彼此隔开。权重的个数不变，跨度变大：三个权重、空洞率 2，跨度就是五格。
#
# <!-- picture: 7×7 的图上，空洞率为 2 的 3×3 窗口看到九个彼此隔开的格子，右边是取出来的 3×3 数组 -->

# %% [markdown] lang="en"
# <div class="animation" data-picture="dilation"></div>

# %% [markdown] lang="zh"
# <div class="animation" data-picture="dilation"></div>

# %% tags=["hide-input"]
picture, axes = drawing.canvas(8, 17)
numbers = np.arange(49).reshape(7, 7)
drawing.feature_map(
    axes, numbers, (1, 0), title="3 x 3 window, dilation 2", shade=False
)
drawing.window(axes, (2, 1), (3, 3), dilation=2)
seen = jc.windows(jnp.asarray(numbers), (3, 3), dilation=2)[1, 1]
drawing.arrow(axes, (4.5, 7.4), (4.5, 9.2))
drawing.feature_map(
    axes, seen, (3, 9.6), title="windows(x, (3, 3), dilation=2)[1, 1]", shade=False
)
picture

# %% [markdown] lang="en"
# ## The way back
#
# A transposed layer undoes the *shape* of a layer (lesson 5 says what it does to the numbers). Solve the rule for
# the size:
#
# $$\text{size}' = (\text{size}-1)\cdot\text{stride} + (\text{window}-1)\cdot\text{dilation} + 1
# - \text{low} - \text{high} + \text{output padding}$$
#
# Why a last term? Because of the floor. Maps of 7 and of 8 both give 4 cells at window 3, stride 2, padding 1. From
# 4 there are two ways back, and `output_padding` says which.

# %% [markdown] lang="zh"
# ## 反过来：从输出的尺寸求输入的尺寸
#
# 转置卷积把层的*形状*反过来：输入的形状变成输出的形状（数值上做了什么，见第 5 课）。从公式里解出 size：
#
# $$\text{size}' = (\text{size}-1)\cdot\text{stride} + (\text{window}-1)\cdot\text{dilation} + 1
# - \text{low} - \text{high} + \text{output padding}$$
#
# 最后一项从哪里来？从向下取整来。窗口 3、步幅 2、填充 1 时，7 格的图和 8 格的图都得到 4 格，所以从 4 格返回有两个答
# 案，`output_padding` 指明取哪一个。

# %% [markdown] lang="en"
# <div class="animation" data-picture="transposition"></div>

# %% [markdown] lang="zh"
# <div class="animation" data-picture="transposition"></div>

# %%
for size in (7, 8):
    down = jc.output_size(size, 3, stride=2, padding=1)
    options = {"stride": 2, "padding": 1, "output_padding": size - 7}
    up = jc.conv_transpose1d(jnp.ones((1, down)), jnp.ones((1, 1, 3)), **options)
    assert up.shape == (1, size)
    print(f"{size} -> {down} -> {up.shape[1]}  with output_padding={size - 7}")

# %% [markdown] lang="en"
# ## What one cell sees: the receptive field of LeNet
#
# Count backwards in the same way. Let neighbouring cells of a layer lie $j$ image pixels apart, each seeing $r$
# pixels. The next layer's window takes $\text{span}$ such cells, so it sees $(\text{span}-1)\,j$ more, and its own
# cells lie $\text{stride}$ times further apart:
#
# $$r \leftarrow r + (\text{span} - 1)\,j, \qquad j \leftarrow j\cdot\text{stride}$$

# %% [markdown] lang="zh"
# ## 一格能看多远：LeNet 的感受野
#
# 用同样的办法从后往前数。设某一层相邻两格在图像上相距 $j$ 个像素，每格看到 $r$ 个像素。下一层的窗口跨过 $\text{span}$
# 格，于是多看到 $(\text{span}-1)\,j$ 个像素；它自己的相邻两格，距离则是原来的 $\text{stride}$ 倍：
#
# $$r \leftarrow r + (\text{span} - 1)\,j, \qquad j \leftarrow j\cdot\text{stride}$$

# %%
r, j, size = 1, 1, 28
for name, window, stride, padding in (
    ("conv1", 5, 1, 2),
    ("pool1", 2, 2, 0),
    ("conv2", 5, 1, 0),
    ("pool2", 2, 2, 0),
):
    r, j = r + (window - 1) * j, j * stride
    size = jc.output_size(size, window, stride=stride, padding=padding)
    print(f"{name}: {size:2} x {size:2}, each sees {r:2} x {r:2} pixels, {j} apart")

# %% [markdown] lang="en"
# A cell of the last feature map sees 16 x 16 pixels. The gradient can check that: a pixel that the cell cannot see
# has gradient zero. It can say more. Set all weights to 1, pool by sums and leave the activation out: then every
# path from a pixel to the cell adds exactly 1, and the gradient *counts the paths*. Cell (2, 2) begins at pixel
# $2\cdot4 - 2 = 6$, since the padding of 2 lies before the image.
#
# <!-- picture: Left, the number of paths from each pixel of a 28x28 image to pool2[0, 2, 2]: nothing outside a frame of
# 16x16, most in its middle; right, the same along row 14, a hill -->

# %% [markdown] lang="zh"
# 最后一层特征图的一格看到 16×16 个像素。这可以用梯度来检验：看不到的像素，梯度一定是 0。梯度能说的还不止这些。令权重
# 全为 1，用求和做汇聚，去掉激活函数，那么从一个像素到这一格的每条路径恰好贡献 1，梯度就是*路径的条数*。格子 $(2, 2)$
# 从第 $2\cdot4 - 2 = 6$ 个像素开始，因为图像前面还有 2 格填充。
#
# <!-- picture: 左图是 28×28 的图像上每个像素到 pool2[0, 2, 2] 的路径条数，16×16 的方框之外全是 0，越靠中间越多；右图
# 沿第 14 行画出同样的条数，像一座山丘 -->

# %%
ones = jax.nn.initializers.ones
params = jc.lenet.init(jax.random.key(0), maps=(1, 1), kernel_init=ones)


@jax.jit
@jax.grad
def paths_to_the_cell(image):
    plain = {"activation": lambda x: x, "pool_mode": "sum"}
    return jc.lenet.layers(params, image, **plain)["pool2"][0, 2, 2]


paths = np.asarray(paths_to_the_cell(jnp.zeros((1, 28, 28)))[0])
rows, columns = np.nonzero(paths)
assert rows.min() == columns.min() == 6
assert len(rows) == 16 * 16
corner, middle = int(paths[6, 6]), int(paths.max())
print(f"paths from a corner pixel: {corner}, from one in the middle: {middle}")

# %% tags=["hide-input"]
picture, axes = drawing.plots(1, 2, width=7.0, height=2.8)
drawing.image(
    axes[0], paths, title="paths from each pixel to pool2[0, 2, 2]", signed=True
)
drawing.window(axes[0], (5.5, 5.5), (16, 16))
axes[1].step(range(28), paths[14], where="mid", color=drawing.BLUE)
axes[1].set(title="the same, along row 14", xlabel="column", ylabel="paths")
picture

# %% [markdown] lang="en"
# So the field that counts is smaller than the field that is possible: it is a hill, and the rim weighs next to nothing.
# In deep networks more so: [Luo et al. 2016](https://arxiv.org/abs/1701.04128). More pictures of sizes and of
# transposition are in [Dumoulin and Visin 2016](https://arxiv.org/abs/1603.07285).
#
# ## Exercises
#
# 1. The LeNet of 1998 took images of 32 x 32 without padding. Does it get the same feature maps as 28 x 28 with padding
#    2?
# 2. A ResNet begins with a 7 x 7 window, stride 2, padding 3, then a 3 x 3 pool, stride 2, padding 1. What is left of
#    224 x 224?
# 3. Which padding keeps the size at stride 1, for an odd window with dilation $d$?
# 4. WaveNet stacks layers with two taps and dilations 1, 2, 4, ..., 512. How far back does one output hear?
# 5. For which sizes does the floor drop nothing?
#
# ## Answers

# %% [markdown] lang="zh"
# 所以真正起作用的感受野比理论上的小：它像一座山丘，边上几乎没有分量。这一现象在深层网络里更明显，见
# [Luo 等 2016](https://arxiv.org/abs/1701.04128)；尺寸与转置的更多图解见
# [Dumoulin 与 Visin 2016](https://arxiv.org/abs/1603.07285)。
#
# ## 练习
#
# 1. 1998 年的 LeNet 以 32×32 的图像为输入，不填充。它得到的特征图与“28×28、填充 2”的相同吗？
# 2. ResNet 的开头是 7×7 的窗口，步幅 2，填充 3；接着是 3×3 的汇聚，步幅 2，填充 1。224×224 的图像还剩多大？
# 3. 步幅为 1，窗口宽为奇数，空洞率为 $d$，填充多少能保持尺寸不变？
# 4. WaveNet 叠了许多层，每层的窗口只有两个权重，空洞率依次为 1, 2, 4, ..., 512。一个输出能听到多久以前？
# 5. 对哪些尺寸，向下取整什么也没有舍掉？
#
# ## 答案

# %% [markdown] lang="en"
# 1: in size, yes. In value, only if the padding looks like the paper around the digit. LeCun scaled his images so that
# the background was -0.1 and the ink 1.175; the ring of two cells around them was background too. Zeros are another
# grey. `fill=-0.1` makes it the same layer:

# %% [markdown] lang="zh"
# 第 1 题：尺寸相同。数值要相同，填充必须与数字周围的底色一致。LeCun 把图像缩放成背景为 -0.1、墨迹为 1.175，外面那两圈
# 也是背景；填 0 就成了另一种灰度。写 `fill=-0.1`，两层才完全相同：

# %%
assert jc.output_size(32, 5) == jc.output_size(28, 5, padding=2) == 28
ink = jax.random.uniform(jax.random.key(2), (28, 28)) < 0.2
image = jnp.where(ink, 1.175, -0.1)
kernel = jax.random.normal(jax.random.key(3), (5, 5))
of_1998 = jc.corr2d(jnp.pad(image, 2, constant_values=-0.1), kernel)
background = jc.corr2d(image, kernel, padding=2, fill=-0.1)
zeros = jc.corr2d(image, kernel, padding=2)
assert jnp.allclose(of_1998, background, atol=1e-5)
print("cells that zeros change:", int((abs(of_1998 - zeros) > 1e-4).sum()))
assert abs(of_1998 - zeros).max() > 0.1

# %% [markdown] lang="en"
# 2:

# %% [markdown] lang="zh"
# 第 2 题：

# %%
stem = jc.output_size(224, 7, stride=2, padding=3)
stem, jc.output_size(stem, 3, stride=2, padding=1)

# %% [markdown] lang="en"
# 3: $(w-1)\,d/2$ on each side, half of the span less one.

# %% [markdown] lang="zh"
# 第 3 题：每侧 $(w-1)\,d/2$，即跨度减一的一半。

# %%
for w, d in itertools.product((1, 3, 5, 7), (1, 2, 3)):
    assert jc.output_size(50, w, padding=(w - 1) * d // 2, dilation=d) == 50

# %% [markdown] lang="en"
# 4: $1 + (1 + 2 + 4 + \dots + 512) = 1024$ samples. A map as large as the receptive field gives exactly one output,
# which is another way to find it.

# %% [markdown] lang="zh"
# 第 4 题：$1 + (1 + 2 + 4 + \dots + 512) = 1024$ 个采样。图恰好与感受野一样大时，输出恰好只有一格，这也是求感受野的一
# 个办法。

# %%
heard = 1024
for n in range(10):
    heard = jc.output_size(heard, 2, dilation=2**n)
assert heard == 1

# %% [markdown] lang="en"
# 5: when the stride divides $\text{padded} - \text{span}$. Then floor and ceiling agree, and the way back needs no
# `output_padding`.

# %% [markdown] lang="zh"
# 第 5 题：步幅整除 $\text{padded} - \text{span}$ 的尺寸。这时向下取整与向上取整一样，返回时也不需要
# `output_padding`。

# %%
floor = lambda n: jc.output_size(n, 3, stride=2)
ceiling = lambda n: jc.output_size(n, 3, stride=2, ceil_mode=True)
exact = [n for n in range(3, 20) if floor(n) == ceiling(n)]
assert exact == [n for n in range(3, 20) if (n - 3) % 2 == 0]
exact
