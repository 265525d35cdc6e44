# %% [markdown] lang="en"
# # 2. Padding, stride and the size rule
#
# How large is the output? Everyone has seen the formula; few could write it down a week later. Nobody needs to
# remember it who can count: it is the number of places where a window may start.

# %% [markdown] lang="zh"
# # 2. 填充、步幅与尺寸公式
#
# 输出有多大？公式人人见过，过一个星期还写得出来的人就不多了。其实不必背，会数数就行：它就是窗口可以从多少个位置开
# 始。

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

# %% [markdown] lang="zh"
# ## 数起点
#
# 看一个轴就够了，各轴互不相干。一张 7 格的图，两端各填充 1 格，共 9 格。宽为 3 的窗口每次移 2 格，可以从 0、2、4、6
# 开始。不能从 8 开始：那样就伸到外面去了。


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
# 这句话用 Python 说就是一个 `range`，输出的尺寸就是它的长度。$w$ 个抽头、膨胀率为 $d$ 的窗口跨过 $(w-1)\,d + 1$
# 格，最后一个起点在 `padded - span`。


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
# There is nothing more to it. The $+1$ counts the start at 0, the floor forgets a last step that would reach beyond
# the end. `jc.output_size` is this rule; here it is held against counting, in every small case:

# %% [markdown] lang="zh"
# 从 0 到 $r$、步长为 $s$，共有 $\lfloor r/s\rfloor + 1$ 个数。于是长度等于
#
# $$\left\lfloor\frac{\text{size} + \text{low} + \text{high} - ((\text{window}-1)\cdot\text{dilation}+1)}
# {\text{stride}}\right\rfloor + 1.$$
#
# 公式的全部内容就是这些：$+1$ 数的是 0 处的起点，向下取整则舍去伸出末端的最后一步。`jc.output_size` 就是这条公式，
# 下面在所有小例子上拿它与数数的结果对照：

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

# %% [markdown] lang="zh"
# ## 填充
#
# 不填充的话，每过一层 3×3 的窗口，图就少两行两列。边上的格子还要吃亏。`jc.fold` 把各个窗口加回它们原来的位置，所以
# 把全 1 的窗口折回去，数出来的就是每一格被多少个窗口看到：

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

# %% [markdown] lang="zh"
# 用 `"VALID"` 时，角上的格子只被看到一次，正中的却有九次；用 `"FULL"`，每一格被看到的次数都相同。几个名称：
#
# | `padding=` | 两端填充 | 步幅 1 时的窗口数 | 用处 |
# |---|---|---|---|
# | `"VALID"` | 不填充 | $n - w + 1$ | 只用测得的数据 |
# | `"SAME"` | 恰好凑够 $\lceil n/s\rceil$ 个窗口 | $n$ | 很深的网络 |
# | `"FULL"` | 两端各 $w-1$ | $n + w - 1$ | 多项式乘法，见第 1 课 |
# | `"CAUSAL"` | 前端 $w-1$，后端不填 | $n$ | 时间序列：不许偷看未来 |

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

# %% [markdown] lang="zh"
# `"SAME"` 需要的格数若是奇数，多出的一格放在后端（`"SAME_LOWER"` 则放在前端）。填进去的也不一定是 0。一行 1 2 3 4，
# 前面填两格，后面填三格，各种模式如下：

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
# `"reflect"` 以最后一格为镜面，`"symmetric"` 以它的边缘为镜面，`"circular"` 首尾相接：地球的经度首尾相接，纬度则用
# 反射，写作 `padding_mode=("reflect", "circular")`。填充为负数就是裁剪。

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
# 步幅并不产生新的数：它只保留步幅 1 的结果中每隔 $s$ 个的那一个，省下的是其余那些的计算。

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
# 向下取整可能丢掉末端的格子：7 格上用宽 2、步幅 2 的窗口，最后一格谁也看不到。打开 `ceil_mode`，允许再多一个伸出末
# 端的窗口，只要它的*起点*还在图上；伸出去的部分不参与计算。

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

# %% [markdown] lang="zh"
# ## 膨胀（空洞）
#
# 膨胀把窗口的抽头拉开。权重的个数不变，跨度变大：三个抽头、膨胀率 2，就跨过五格。

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
# ## 原路返回
#
# 转置的层把一层的*形状*还原（至于数值上做了什么，见第 5 课）。从公式里解出尺寸：
#
# $$\text{size}' = (\text{size}-1)\cdot\text{stride} + (\text{window}-1)\cdot\text{dilation} + 1
# - \text{low} - \text{high} + \text{output padding}$$
#
# 为什么多出最后一项？因为向下取整。窗口 3、步幅 2、填充 1 时，7 格和 8 格的图都得到 4 格。从 4 返回有两条路，
# `output_padding` 说的就是走哪一条。

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
# 用同样的办法倒着数。设某层相邻两格在图像上相隔 $j$ 个像素，每格看到 $r$ 个像素。下一层的窗口取 $\text{span}$ 个这
# 样的格子，于是多看到 $(\text{span}-1)\,j$ 个像素；它自己的相邻两格，则相隔原来的 $\text{stride}$ 倍：
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

# %% [markdown] lang="zh"
# 最后一张特征图的一格看到 16×16 个像素。梯度可以验证：这一格看不到的像素，梯度必为 0。梯度还能说出更多：让权重全是
# 1，用求和来汇聚，去掉激活函数，那么从一个像素到这一格的每条路都恰好贡献 1，梯度*数出了路的条数*。第 2 行第 2 列的
# 格子从像素 $2\cdot4 - 2 = 6$ 开始，因为图像前面还有 2 格填充。

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
# So the field that counts is smaller than the field that is possible: it is a hill, and the rim weighs next to
# nothing.
#
# ## Exercises
#
# 1. The LeNet of 1998 took images of 32 x 32 without padding. Does it get the same feature maps as 28 x 28 with
#    padding 2?
# 2. A ResNet begins with a 7 x 7 window, stride 2, padding 3, then a 3 x 3 pool, stride 2, padding 1. What is left
#    of 224 x 224?
# 3. Which padding keeps the size at stride 1, for an odd window with dilation $d$?
# 4. WaveNet stacks layers with two taps and dilations 1, 2, 4, ..., 512. How far back does one output hear?
# 5. For which sizes does the floor drop nothing?
#
# ## Answers

# %% [markdown] lang="zh"
# 可见真正起作用的感受野，比理论上的要小：它像一座山丘，边缘几乎没有分量。
#
# ## 习题
#
# 1. 1998 年的 LeNet 输入 32×32 的图像，不填充。它得到的特征图与“28×28、填充 2”尺寸相同吗？
# 2. ResNet 开头是 7×7 的窗口，步幅 2，填充 3；接着是 3×3 的汇聚，步幅 2，填充 1。224×224 还剩多大？
# 3. 步幅为 1，窗口宽为奇数，膨胀率为 $d$，填充多少才能保持尺寸？
# 4. WaveNet 叠了许多层，每层两个抽头，膨胀率依次为 1, 2, 4, ..., 512。一个输出能听到多久以前？
# 5. 对哪些尺寸，向下取整什么也不丢？
#
# ## 答案

# %% [markdown] lang="en"
# 1: in size, yes. It is the same layer, if the outer ring of those images is empty, as it was.

# %% [markdown] lang="zh"
# 第 1 题：尺寸相同。那些图像的外圈本来就是空白，所以连结果也一样。

# %%
assert jc.output_size(32, 5) == jc.output_size(28, 5, padding=2) == 28

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
# 第 3 题：两侧各 $(w-1)\,d/2$，即跨度减一的一半。

# %%
for w, d in itertools.product((1, 3, 5, 7), (1, 2, 3)):
    assert jc.output_size(50, w, padding=(w - 1) * d // 2, dilation=d) == 50

# %% [markdown] lang="en"
# 4: $1 + (1 + 2 + 4 + \dots + 512) = 1024$ samples. A map as large as the receptive field gives exactly one output,
# which is another way to find it.

# %% [markdown] lang="zh"
# 第 4 题：$1 + (1 + 2 + 4 + \dots + 512) = 1024$ 个采样。图恰好和感受野一样大时，输出正好一格，这也是求感受野的一个
# 办法。

# %%
heard = 1024
for n in range(10):
    heard = jc.output_size(heard, 2, dilation=2**n)
assert heard == 1

# %% [markdown] lang="en"
# 5: when the stride divides $\text{padded} - \text{span}$. Then floor and ceiling agree, and the way back needs no
# `output_padding`.

# %% [markdown] lang="zh"
# 第 5 题：步幅整除 $\text{padded} - \text{span}$ 的时候。这时向下、向上取整一样，返回时也用不着 `output_padding`。

# %%
floor = lambda n: jc.output_size(n, 3, stride=2)
ceiling = lambda n: jc.output_size(n, 3, stride=2, ceil_mode=True)
exact = [n for n in range(3, 20) if floor(n) == ceiling(n)]
assert exact == [n for n in range(3, 20) if (n - 3) % 2 == 0]
exact
