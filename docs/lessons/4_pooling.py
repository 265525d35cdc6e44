# %% [markdown] lang="en" minutes=30 needs="3"
# # 4. Pooling, winners and ties
#
# Pooling slides the same window, but reduces what it sees to one number without any weights. There is nothing to
# learn in it, and yet a good deal to decide: who gets the gradient, what padding counts for, where a maximum came
# from.

# %% [markdown] lang="zh" minutes=30 needs="3"
# # 4. 汇聚、赢家与平局
#
# 汇聚（也叫池化）滑动的是同样的窗口，只是不用权重，直接把看到的数归约成一个。它没有什么可学的，要决定的事情却不少：梯
# 度归谁，填充算不算数，最大值来自哪里。

# %%
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import drawing
import jaxcnn as jc

x = jnp.array([[1.0, 3, 2, 0], [5, 4, 1, 7], [0, 2, 9, 6], [8, 1, 3, 5]])

# %% [markdown] lang="en"
# ## In loops, then by `vmap`
#
# This is the starting text's `pool2d`: the loops of lesson 1, with a maximum or a mean in place of the sum of products.
# Its stride is an argument like any other.

# %% [markdown] lang="zh"
# ## 先写成循环，再用 `vmap`
#
# 这就是原文里的 `pool2d`：循环与第 1 课相同，只是把“乘积之和”换成最大值或平均值。步幅是普通的参数。


# %%
def pool2d_in_loops(data, window, mode, stride):
    (height, width), (h, w) = data.shape, window
    result = np.zeros(
        ((height - h) // stride + 1, (width - w) // stride + 1), np.float32
    )
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            a, b = i * stride, j * stride
            seen = data[a : a + h, b : b + w]
            result[i, j] = seen.max() if mode == "max" else seen.mean()
    return result


largest = pool2d_in_loops(np.asarray(x), (2, 2), "max", 2)
average = pool2d_in_loops(np.asarray(x), (2, 2), "mean", 2)
print(largest, average, sep="\n")

# %% [markdown] lang="en"
# In three dimensions it is one loop more, and in JAX not even that: the function of one window does not ask how many
# axes the window has. `vmap` runs it over all starts, in 2-D and 3-D alike; over samples and channels it is run twice
# more, and that is the text's `poolnet_2d` and `poolnet_3d`.

# %% [markdown] lang="zh"
# 三维要多一重循环；在 JAX 里连这也不需要：“一个窗口的函数”并不关心窗口有几个轴。用 `vmap` 让它跑遍所有起点，二维、三
# 维都是同一段代码；再对样本和通道各用一次 `vmap`，就是原文的 `poolnet_2d` 和 `poolnet_3d`：


# %%
def pool3d_in_loops(data, window, mode, stride):
    places = [
        (n - w) // stride + 1 for n, w in zip(data.shape, window, strict=True)
    ]
    result = np.zeros(places, np.float32)
    for place in np.ndindex(*places):  # three loops in one
        seen = data[
            tuple(
                slice(i * stride, i * stride + w)
                for i, w in zip(place, window, strict=True)
            )
        ]
        result[place] = seen.max() if mode == "max" else seen.mean()
    return result


def pool_by_vmap(data, window, reduce, stride):
    out = jc.output_size(data.shape, window, stride=stride)
    starts = stride * jnp.indices(out).reshape(len(out), -1).T
    at = lambda start: reduce(lax.dynamic_slice(data, tuple(start), window))
    return jax.vmap(at)(starts).reshape(out)


volume = np.random.default_rng(1).normal(size=(4, 6, 6)).astype(np.float32)
assert jnp.array_equal(pool_by_vmap(x, (2, 2), jnp.max, 2), largest)
assert jnp.allclose(pool_by_vmap(x, (2, 2), jnp.mean, 2), average)
in_3d = pool3d_in_loops(volume, (2, 2, 2), "max", 2)
assert jnp.array_equal(pool_by_vmap(volume, (2, 2, 2), jnp.max, 2), in_3d)

pool_one = lambda volume: pool_by_vmap(volume, (2, 2, 2), jnp.mean, 2)
many = np.stack([[volume, -volume], [2 * volume, volume + 1]])  # samples, channels
poolnet_3d = jax.vmap(jax.vmap(pool_one))(many)
assert jnp.allclose(poolnet_3d, jc.pool3d(many, 2, "mean"), atol=1e-6)
print("poolnet_3d", poolnet_3d.shape)

# %% [markdown] lang="en"
# ## Max and mean
#
# From here on `jc.pool2d`, which is tested against these loops. Windows of 2 x 2; the stride is the window if none is
# given, so that they tile the map. Each map is pooled by itself: samples and channels are leading axes, which only come
# along.
#
# <!-- picture: A 4x4 map X in four windows of 2x2 with the largest cell of each framed; beside it the maxima 5, 7, 8,
# 9, the means, and the winners' indices 4, 7, 12, 10 -->

# %% [markdown] lang="zh"
# ## 最大与平均
#
# 从这里起改用 `jc.pool2d`，它以上面的循环为准绳接受检验。窗口 2×2；不给步幅时，步幅就等于窗口，正好铺满整张图。每张图
# 各自汇聚：样本和通道排在前面，与汇聚无关。
#
# <!-- picture: 4×4 的图 X 分成四个 2×2 的窗口，每个窗口里最大的一格用绿框标出；右边依次是最大值 5、7、8、9，平均值，
# 以及赢家的编号 4、7、12、10 -->

# %% tags=["hide-input"]
values, indices = jc.max_pool_with_indices(x, (2, 2))
picture, axes = drawing.canvas(5, 18)
drawing.feature_map(axes, x, (1, 0), title="X")
for i, j in np.ndindex(2, 2):
    drawing.window(axes, (1 + 2 * i, 2 * j), (2, 2))
    winner = divmod(int(indices[i, j]), 4)
    drawing.window(axes, (1 + winner[0], winner[1]), (1, 1), colour=drawing.GREEN)
drawing.arrow(axes, (3, 4.5), (3, 6.3))
drawing.feature_map(axes, values, (2, 7), title='"max"')
drawing.feature_map(axes, jc.pool2d(x, 2, "mean"), (2, 10.5), title='"mean"')
drawing.feature_map(
    axes, indices, (2, 14), title="indices of the winners", shade=False
)
picture

# %%
rng = np.random.default_rng(0)
# LeNet's: samples, channels, H, W
maps = rng.normal(size=(10, 6, 28, 28)).astype(np.float32)
print(jc.pool2d(maps, 2, "max").shape, jc.pool(maps, (2, 2), "mean").shape)

# %% [markdown] lang="en"
# A mean asks how much of a feature there is, a maximum whether it is there at all. A mean is a correlation with
# equal weights, so it is linear; a maximum is not. The difference shows in the gradient.
#
# ## Who gets the gradient
#
# Let the output get gradient 1 in each cell. A mean hands it to all four cells alike. In a maximum only the winner
# counts: a little more or less in any other cell changes nothing. So the winner gets all of it.
#
# <!-- picture: The map X; the gradient of max, 1 at the largest cell of each window and 0 elsewhere; the gradient of
# mean, 0.25 everywhere -->

# %% [markdown] lang="zh"
# 平均回答某种特征有多少，最大回答有没有。平均是各权重相等的互相关，所以是线性的；最大不是。两者的差别在梯度里看得最清
# 楚。
#
# ## 梯度归谁
#
# 设输出每一格的梯度都是 1。平均把它均分给四格。在最大汇聚里只有赢家算数：别的格子增一点、减一点，结果都不变。所以梯度
# 全归赢家。
#
# <!-- picture: 左边是图 X；中间是最大汇聚的梯度，每个窗口里只有最大的一格是 1；右边是平均汇聚的梯度，每格都是 0.25
# -->


# %%
def gradient(pool, x):
    return jax.jit(jax.grad(lambda x: pool(x).sum()))(x)


def ours(mode):
    return lambda x: jc.pool2d(x, 2, mode)


# %% tags=["hide-input"]
picture, axes = drawing.canvas(5, 15)
drawing.feature_map(axes, x, (1, 0), title="X", shade=False)
drawing.feature_map(
    axes,
    gradient(ours("max"), x),
    (1, 5),
    title='gradient of "max"',
    colour=drawing.GREEN,
)
drawing.feature_map(
    axes,
    gradient(ours("mean"), x),
    (1, 10),
    title='gradient of "mean"',
    colour=drawing.GREEN,
)
picture

# %% [markdown] lang="en"
# ## Ties
#
# And if two cells are equally large? Then the maximum has no derivative: raise the first cell and the result
# follows, lower it and the second takes over. Any shares that are not negative and add up to 1 are a *subgradient*;
# programs have to pick one.

# %% [markdown] lang="zh"
# ## 平局
#
# 两格一样大怎么办？这时最大值不可导：增大第一格，结果随之增大；减小第一格，第二格就接替它。只要各格的份额非负、总和为
# 1，就都是*次梯度*，程序总要选定一种。

# %%
tied = jnp.array([[3.0, 1], [3, 3]])
by_lax = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID")
for name, pool in (
    ('jc.pool2d(x, 2, "max")', ours("max")),
    ("lax.reduce_window", by_lax),
    ("jnp.max of the window", jnp.max),
):
    print(name, gradient(pool, tied), sep="\n")

assert gradient(ours("max"), tied).tolist() == [[1, 0], [0, 0]]
assert jnp.allclose(gradient(jnp.max, tied), jnp.array([[1, 0], [1, 1]]) / 3)

# %% [markdown] lang="en"
# The starting text takes `window.max()` of a PyTorch tensor. That splits, as `jnp.max` does: a third each.
# PyTorch's own `max_pool2d` does not: there, in lax and here the **first winner** in row-major order gets
# everything. (PyTorch is no dependency of this page; checked by hand with 2.13.)
#
# | | gradient at `[[3, 1], [3, 3]]` |
# |---|---|
# | the starting text: `tensor.max()`, `torch.amax`, `jnp.max` | `[[1/3, 0], [1/3, 1/3]]` |
# | `F.max_pool2d`, `lax.reduce_window`, `jc.pool` | `[[1, 0], [0, 0]]` |
#
# Does it matter? Ties are common: after a ReLU whole windows are 0. But there the ReLU hands nothing on. And on an
# even background tied cells are equal because they saw equal windows; to the kernel it is all one which of them
# passes the gradient on. What matters is that one and the same rule holds everywhere: with the first winner, a run
# here goes the way it goes in lax and PyTorch, on each machine alike.

# %% [markdown] lang="zh"
# 原文取的是 PyTorch 张量的 `window.max()`，它与 `jnp.max` 一样平分：各得三分之一。PyTorch 自己的 `max_pool2d` 却不平
# 分，它和 lax、和这里一样，把梯度全部给按行优先次序的**第一个赢家**。（本页不依赖 PyTorch，这一点是用 2.13 版手工核对
# 的。）
#
# | | 在 `[[3, 1], [3, 3]]` 处的梯度 |
# |---|---|
# | 原文：`tensor.max()`；`torch.amax`、`jnp.max` | `[[1/3, 0], [1/3, 1/3]]` |
# | `F.max_pool2d`、`lax.reduce_window`、`jc.pool` | `[[1, 0], [0, 0]]` |
#
# 这要紧吗？平局很常见：经过 ReLU，整个窗口都可能是 0，不过那里的 ReLU 本来就不往回传梯度。在均匀的背景上，几格打平，
# 是因为它们所看到的窗口本来就相同，梯度由谁传回去，对卷积核都一样。要紧的是处处遵守同一条规则：全归第一个赢家，这里的
# 训练就与 lax、PyTorch 走同一条路，在每台机器上都如此。

# %% [markdown] lang="en"
# ## Padding that wins
#
# The starting text pads its pools with zeros, as it pads its correlations. For a sum zero is harmless. For a
# maximum it is not: where all cells are negative, the zero of the padding wins, a value that is nowhere on the map.
# What adds nothing to a maximum is $-\infty$, its *identity*, and that is the default here; `fill=0` is the way of
# the text.
#
# <!-- picture: A 3x3 map of negative numbers, padded by one and pooled: with minus infinity on the padding all maxima
# are cells of the map, with zeros three of the four are the padding's 0 -->

# %% [markdown] lang="zh"
# ## 会赢的填充
#
# 原文做汇聚时也填 0，与互相关一样。对求和来说，0 无害；对最大值则不然：如果各格都是负数，赢的就是填充的 0，一个图上根
# 本没有的数。不影响最大值的是 $-\infty$，即最大运算的*单位元*，这里默认填的就是它；`fill=0` 是原文的做法。
#
# <!-- picture: 3×3 的负数图在填充一圈之后做最大汇聚：填负无穷时结果都是图上的负数，填 0 时四个结果里有三个是填充的 0
# -->

# %% tags=["hide-input"]
negative = -jnp.arange(1.0, 10).reshape(3, 3)
picture, axes = drawing.canvas(6, 20)
real = np.pad(np.ones((3, 3), bool), 1)
for column, options, border in ((0, {}, -jnp.inf), (10.5, {"fill": 0}, 0)):
    padded = jc.windows(negative, (5, 5), padding=1, fill=border)[0, 0]
    title = "padding=1" + ", fill=0" * bool(options)
    drawing.feature_map(
        axes, padded, (1, column), title=title, real=real, shade=False
    )
    drawing.window(axes, (1, column), (2, 2))
    drawing.arrow(axes, (3.5, column + 5.3), (3.5, column + 6.3))
    largest = jc.pool2d(negative, 2, "max", padding=1, **options)
    drawing.feature_map(axes, largest, (2.5, column + 6.8), title='"max"')
    drawing.window(axes, (2.5, column + 6.8), (1, 1))
picture

# %%
phantom = gradient(lambda x: jc.pool2d(x, 2, "max", padding=1, fill=0), negative)
honest = gradient(lambda x: jc.pool2d(x, 2, "max", padding=1), negative)
print("gradient that reaches the map, of 4:")
print(phantom.sum(), "with zeros,", honest.sum(), "without")

# %% [markdown] lang="en"
# Here is this map to play with: change what lies on the padding, and see who wins and what becomes of the gradient.
#
# <div class="playground" data-start="operation=max window=2 stride=2 padding=1 mode=constant"
# data-map="-1 -2 -3 / -4 -5 -6 / -7 -8 -9"
# data-show="operation window stride padding mode dilation ceil backward"></div>

# %% [markdown] lang="zh"
# 就用这张图试试：改一改填充的内容，看谁赢，梯度又去了哪里。
#
# <div class="playground" data-start="operation=max window=2 stride=2 padding=1 mode=constant"
# data-map="-1 -2 -3 / -4 -5 -6 / -7 -8 -9"
# data-show="operation window stride padding mode dilation ceil backward"></div>

# %% [markdown] lang="en"
# A phantom winner keeps the gradient too: three quarters of it never come back to the map. After a sigmoid or a
# ReLU no cell is negative, and the two maxima agree, which is why the text never noticed.
#
# ## What a mean counts
#
# A mean has the same question in its divisor: does a window at the rim divide by 4, or by the cells that are there?

# %% [markdown] lang="zh"
# 填充成了赢家，还会把梯度扣下：四分之三的梯度再也回不到图上。经过 sigmoid 或 ReLU，没有负的格子，两种最大值相同，所以
# 原文里没有察觉。
#
# ## 平均除以几
#
# 平均也有同样的问题，出在除数上：边上的窗口，应该除以 4，还是除以真正落在图上的格数？

# %%
ones = jnp.ones((3, 3))
for name, options in {
    "padding counts     ": {},
    "padding left out   ": {"count_include_pad": False},
    "divided by 1, a sum": {"divisor": 1},
}.items():
    print(name, jc.pool2d(ones, 2, "mean", padding=1, **options).tolist())

# %% [markdown] lang="en"
# Counting it darkens the rim of an even picture; that is the default in PyTorch, Flax and here. Half-precision sums
# have a trap of their own: bfloat16 keeps 8 bits, so a running sum of ones sticks at 256. `jc.pool` adds in
# float32.

# %% [markdown] lang="zh"
# 把填充算进除数，均匀的图四周会变暗；这是 PyTorch、Flax 和这里的默认做法。半精度求和另有一个陷阱：bfloat16 只有 8 位
# 有效数字（二进制），一个一个地加 1，加到 256 就再也不动了。`jc.pool` 用 float32 累加。

# %%
grey = jnp.ones((32, 32), jnp.bfloat16)
zero = np.zeros((), grey.dtype)
stuck = lax.reduce_window(grey, zero, lax.add, (32, 32), (1, 1), "VALID") / 1024
whole = jax.jit(lambda x: jc.pool2d(x, 32, "mean"))(grey)
assert (stuck, whole) == (0.25, 1)
print("mean of 1024 ones:", stuck, "by lax.reduce_window,", whole, "by jc.pool")

# %% [markdown] lang="en"
# ## Where the winner stood
#
# `max_pool_with_indices` names the winner's place, counted through its map row by row. `max_unpool` puts values
# back there: an autoencoder's way up, and a segmentation network's memory of *where* something was.
#
# <!-- picture: The map X is pooled to four values and their indices; max_unpool puts the four back where they stood on
# a 4x4 map, with 0 elsewhere -->

# %% [markdown] lang="zh"
# ## 赢家在哪里
#
# `max_pool_with_indices` 还给出赢家的位置，在它所在的那张图里逐行编号。`max_unpool` 把数放回原处：自编码器靠它把图放
# 大，分割网络靠它记住东西*在哪里*。
#
# <!-- picture: 图 X 汇聚成四个最大值和它们的编号；max_unpool 把四个数放回 4×4 的图里原来的位置，其余是 0 -->

# %% tags=["hide-input"]
picture, axes = drawing.canvas(5, 18)
drawing.feature_map(axes, x, (1, 0), title="X")
drawing.arrow(axes, (3, 4.3), (3, 5.3))
drawing.feature_map(axes, values, (2, 5.7), title="values")
drawing.feature_map(axes, indices, (2, 8.7), title="indices", shade=False)
drawing.arrow(axes, (3, 11.2), (3, 12.2))
drawing.feature_map(
    axes, jc.max_unpool(values, indices, (4, 4)), (1, 12.7), title="max_unpool"
)
picture

# %%
assert jnp.array_equal(x.ravel()[indices], values)
unpooled = jc.max_unpool(values, indices, (4, 4))
assert jnp.array_equal(unpooled > 0, gradient(ours("max"), x) > 0)

# %% [markdown] lang="en"
# The picture on the right has its numbers where the gradient of max has its ones. No accident: the gradient of max
# pooling *is* the unpooling of the output's gradient, if the windows do not overlap.
#
# ## Any reducer
#
# A window can be reduced by anything that takes its cells: pass a function. Between the sum and the maximum lies
# the family `"lp"`, $(\sum|x|^p)^{1/p}$ with $p$ from 1 to $\infty$. A soft maximum is `logsumexp`: its gradient is
# a softmax, in which every cell wins a little and the larger ones more.

# %% [markdown] lang="zh"
# 右边那张图里有数的地方，正是最大汇聚的梯度为 1 的地方。这不是巧合：窗口互不重叠时，最大汇聚的梯度*就是*把输出的梯度
# 做一次反汇聚。
#
# ## 任意的归约
#
# 能把窗口里的数归约成一个数的函数，都可以传进来。求和与最大之间有一族 `"lp"`，即 $(\sum|x|^p)^{1/p}$，$p$ 从 1 到
# $\infty$。`logsumexp` 是软的最大值，它的梯度是 softmax：每格都赢一点，大的赢得多一些。

# %%
soft = lambda x: jc.pool2d(x, 2, jax.nn.logsumexp)
window = x[:2, :2]
for p in (1, 2, 8, 32):
    norm = jax.jit(lambda w, p=p: jc.pool2d(w, 2, "lp", p=p))
    print(f"lp, p = {p:2}: {norm(window)[0, 0]:.3f}")
print(f"logsumexp:    {soft(window)[0, 0]:.3f}")
print(f"median:       {jc.pool2d(window, 2, jnp.median)[0, 0]:.3f}")
print("gradient of logsumexp\n", np.round(gradient(soft, window), 3))
softmax = jax.nn.softmax(window.ravel()).reshape(2, 2)
assert jnp.allclose(gradient(soft, window), softmax, atol=1e-5)

# %% [markdown] lang="en"
# A median removes what a mean only spreads: single wrong pixels. Here a stripe, with every tenth pixel thrown to an
# extreme:
#
# <!-- picture: A noisy stripe; max turns the bright dots into squares, mean smears them into grey spots, median gives
# back a stripe that is almost clean -->

# %% [markdown] lang="zh"
# 平均只会把坏点摊开，中位数却能去掉它。下面是一条斜纹，每十个像素里约有一个被换成极端的值：
#
# <!-- picture: 带坏点的斜纹；最大汇聚把亮点变成方块，平均汇聚把坏点抹成灰斑，中位数恢复出几乎干净的斜纹 -->

# %% tags=["hide-input"]
clean = (np.add.outer(np.arange(32), np.arange(32)) % 16 < 8).astype(np.float32)
noisy = np.where(
    rng.random(clean.shape) < 0.1, rng.choice([-1.0, 2.0], clean.shape), clean
).astype(np.float32)
options = {"stride": 1, "padding": 1, "fill": 0.5}
picture, axes = drawing.plots(1, 4, width=7.6, height=2.1)
for ax, (title, shown) in zip(
    axes,
    {
        "noisy": noisy,
        "max": jc.pool2d(noisy, 3, "max", **options),
        "mean": jc.pool2d(noisy, 3, "mean", **options),
        "median": jc.pool2d(noisy, 3, jnp.median, **options),
    }.items(),
    strict=True,
):
    drawing.image(ax, shown, title=title)
picture

# %% [markdown] lang="en"
# All of them have gradients, dilated windows included (lax has none for a dilated maximum, nor for a reducer of
# your own). When the *output* size is what is given, `jc.adaptive_pool` finds the windows; `(1, 1)` is global
# pooling.

# %% [markdown] lang="zh"
# 它们都有梯度，带空洞的窗口也不例外（lax 里，带空洞的最大汇聚和自定义的归约都没有梯度）。如果给定的是*输出*的尺寸，
# `jc.adaptive_pool` 会自己安排窗口；`(1, 1)` 就是全局汇聚。

# %%
far = lambda x: jc.pool2d(x, 2, "max", dilation=2, stride=1)
print("dilated max\n", far(x), "\nand its gradient\n", gradient(far, x))
print("global mean", jc.adaptive_pool(x, (1, 1), "mean"))
print("4 x 4 to 3 x 3\n", jc.adaptive_pool(x, (3, 3), "max"))

# %% [markdown] lang="en"
# ## Exercises
#
# 1. Write min pooling with max pooling.
# 2. Write mean pooling of $C$ channels as a layer of lesson 3.
# 3. Two max pools of 2 x 2 at stride 1, one after the other: which single pool is that? Does it hold for means?
# 4. Get the starting text's gradient at ties, split evenly, from `jc.pool`.
# 5. By how much may an image shift before a max pool with windows of 2 notices?
#
# ## Answers

# %% [markdown] lang="zh"
# ## 练习
#
# 1. 用最大汇聚写出最小汇聚。
# 2. 把 $C$ 个通道的平均汇聚写成第 3 课里的一种层。
# 3. 接连做两次 2×2、步幅 1 的最大汇聚，等于做一次哪种汇聚？换成平均还成立吗？
# 4. 用 `jc.pool` 得到原文在平局处的梯度，即平分。
# 5. 图像移动多少，窗口为 2 的最大汇聚才会察觉？
#
# ## 答案

# %% [markdown] lang="en"
# 1: turn the order round, and back. 2: depthwise, with all weights 1/4.

# %% [markdown] lang="zh"
# 第 1 题：先取相反数，把大小次序反过来，算完再反回去。第 2 题：逐通道卷积，权重全是 1/4。

# %%
assert jnp.array_equal(jc.pool2d(x, 2, "min"), -jc.pool2d(-x, 2, "max"))
six = maps[:2]
depthwise = jc.conv2d(six, jnp.full((6, 1, 2, 2), 0.25), stride=2, groups=6)
assert jnp.allclose(depthwise, jc.pool2d(six, 2, "mean"), atol=1e-6)

# %% [markdown] lang="en"
# 3: a max pool of 3 x 3: the maximum of maxima is the maximum of the union. Not so for means: the middle cells are
# counted more often, with weights 1 2 1 (lesson 1: two correlations are one, with the convolution of the kernels).

# %% [markdown] lang="zh"
# 第 3 题：3×3 的最大汇聚，因为最大值的最大值就是并集的最大值。平均则不然：中间的格子被多算了几次，权重是 1 2 1（第 1
# 课：两次互相关等于一次，核是两个核的卷积）。

# %%
once = lambda x, mode: jc.pool2d(x, 2, mode, stride=1)
twice = lambda x, mode: once(once(x, mode), mode)
assert jnp.array_equal(twice(x, "max"), jc.pool2d(x, 3, "max", stride=1))
assert not jnp.allclose(twice(x, "mean"), jc.pool2d(x, 3, "mean", stride=1))
one_two_one = jnp.array([1.0, 2, 1])
kernel = jnp.outer(one_two_one, one_two_one) / 16
assert jnp.allclose(twice(x, "mean"), jc.corr2d(x, kernel))

# %% [markdown] lang="en"
# 4: pass `jnp.max` as a reducer. It sees all cells of a window at once, and splits.

# %% [markdown] lang="zh"
# 第 4 题：把 `jnp.max` 当作归约函数传进去。它同时看到窗口里所有的格子，平局时平分。

# %%
split = gradient(lambda x: jc.pool2d(x, 2, jnp.max), tied)
assert jnp.allclose(split, jnp.array([[1, 0], [1, 1]]) / 3)
split

# %% [markdown] lang="en"
# 5: it depends on where it stands. A single bright pixel in the left column of its window may move one cell to the
# right unnoticed; from the right column it lands in the next window. So from every second place a shift by one to the
# right changes nothing. That is true of a lone pixel: an image has structure in all places, and of the hundred random
# images below none shifts by one unnoticed. Pooling does not make a network blind to shifts, only a little
# short-sighted.

# %% [markdown] lang="zh"
# 第 5 题：要看它在哪里。窗口左列上单独一个亮点，右移一格不会被察觉；在右列上，右移一格就进了下一个窗口。所以从每隔一
# 个的位置出发，右移一格结果不变。但这只对孤零零的一个亮点成立：图像处处有内容，下面一百张随机图像，没有一张右移一格而
# 不被察觉。汇聚没有让网络对平移视而不见，只是让它有点近视。

# %%
points = jnp.eye(8)  # row i has its bright pixel at i
pooled = jc.pool1d(points, 2, "max")
unnoticed = [i for i in range(7) if jnp.array_equal(pooled[i], pooled[i + 1])]
assert unnoticed == [0, 2, 4, 6]
images = np.random.default_rng(0).normal(size=(100, 28, 28)).astype(np.float32)
shifted = jnp.roll(images, 1, axis=-1)
same = jc.pool2d(images, 2, "max") == jc.pool2d(shifted, 2, "max")
assert not same.all((1, 2)).any()
