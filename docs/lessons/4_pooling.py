# %% [markdown] lang="en"
# # 4. Pooling, winners and ties
#
# Pooling slides the same window, but reduces what it sees to one number without any weights. There is nothing to
# learn in it, and yet a good deal to decide: who gets the gradient, what padding counts for, where a maximum came
# from.

# %% [markdown] lang="zh"
# # 4. 汇聚、赢家与平局
#
# 汇聚（也叫池化）滑动的是同样的窗口，只是不用任何权重，就把看到的数归约成一个。它没有什么可学，要定的事却不少：梯度
# 归谁，填充算不算数，最大值从哪里来。

# %%
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import drawing
import jaxcnn as jc

x = jnp.array([[1.0, 3, 2, 0], [5, 4, 1, 7], [0, 2, 9, 6], [8, 1, 3, 5]])

# %% [markdown] lang="en"
# ## Max and mean
#
# Windows of 2 x 2; the stride is the window if none is given, so that they tile the map. Each map is pooled by
# itself: samples and channels are leading axes, which only come along.

# %% [markdown] lang="zh"
# ## 最大与平均
#
# 窗口 2×2；不给步幅时，步幅就等于窗口，正好铺满整张图。每张图各自汇聚：样本和通道是排在前面的轴，只是跟着走。

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

# %% [markdown] lang="zh"
# 平均问的是某种特征有多少，最大问的是有没有。平均就是权重相等的互相关，所以是线性的；最大不是。差别在梯度里看得最清
# 楚。
#
# ## 梯度归谁
#
# 设输出每格的梯度都是 1。平均把它均分给四格。最大只有赢家说了算：别的格子多一点、少一点，结果都不变。所以梯度全归赢
# 家。


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
# 两格一样大怎么办？这时最大值不可导：把第一格调高，结果跟着变；调低，第二格就顶上来。只要各份非负、加起来是 1，
# 都是*次梯度*；程序总得选一种。

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
# 起始文章取的是 PyTorch 张量的 `window.max()`。它与 `jnp.max` 一样平分：各得三分之一。PyTorch 自己的 `max_pool2d`
# 却不平分：它和 lax、和这里一样，梯度全归按行优先次序的**第一个赢家**。（本页不依赖 PyTorch；这一点是用 2.13 版手工
# 核对的。）
#
# | | 在 `[[3, 1], [3, 3]]` 处的梯度 |
# |---|---|
# | 起始文章：`tensor.max()`；`torch.amax`、`jnp.max` | `[[1/3, 0], [1/3, 1/3]]` |
# | `F.max_pool2d`、`lax.reduce_window`、`jc.pool` | `[[1, 0], [0, 0]]` |
#
# 要紧吗？平局很常见：经过 ReLU，整个窗口都可能是 0。不过那里的 ReLU 什么梯度也不往回传。而在均匀的背景上，格子打成
# 平局，是因为它们看到的窗口本来就相同；梯度由哪一格传回去，对卷积核都是一回事。要紧的是处处遵守同一条规则：全归第一
# 个赢家，这里的训练就与 lax、PyTorch 走同一条路，在每台机器上都一样。

# %% [markdown] lang="en"
# ## Padding that wins
#
# The starting text pads its pools with zeros, as it pads its correlations. For a sum zero is harmless. For a
# maximum it is not: where all cells are negative, the zero of the padding wins, a value that is nowhere on the map.
# What adds nothing to a maximum is $-\infty$, its *identity*, and that is the default here; `fill=0` is the way of
# the text.

# %% [markdown] lang="zh"
# ## 会赢的填充
#
# 起始文章的汇聚也用 0 填充，和互相关一样。对求和来说，0 无害；对最大值却不然：若各格都是负数，赢的就是填充的 0，一
# 个图上根本没有的数。对最大值不起作用的是 $-\infty$，即它的*单位元*，这里默认就用它；`fill=0` 则是文章的做法。

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
# 这个幽灵赢家还把梯度扣下了：四分之三再也回不到图上。经过 sigmoid 或 ReLU，格子都不为负，两种最大值相同，所以文章
# 里一直没有察觉。
#
# ## 平均数的是什么
#
# 平均也有同样的问题，出在除数上：边上的窗口，是除以 4，还是除以真正在那里的格数？

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
# 把填充算进去，一张均匀的图四周就会变暗；这是 PyTorch、Flax 和这里的默认做法。半精度求和还有自己的陷阱：bfloat16 只
# 有 8 位有效位，一个个加 1，加到 256 就再也不动了。`jc.pool` 用 float32 累加。

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

# %% [markdown] lang="zh"
# ## 赢家站在哪里
#
# `max_pool_with_indices` 还给出赢家的位置，在自己的图里逐行数。`max_unpool` 把数放回那里：自编码器靠它往上走，分割
# 网络靠它记住东西*在哪里*。

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
# 右边那张图里有数的地方，正是最大汇聚的梯度为 1 的地方。这不是巧合：窗口互不重叠时，最大汇聚的梯度*就是*对输出的梯
# 度作反汇聚。
#
# ## 任意的归约
#
# 凡是能把窗口里的数归约成一个的，都可以用：传一个函数即可。求和与最大之间有一族 `"lp"`，即 $(\sum|x|^p)^{1/p}$，$p$
# 从 1 走到 $\infty$。`logsumexp` 则是软的最大值：它的梯度是 softmax，每格都赢一点，大的多赢一些。

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

# %% [markdown] lang="zh"
# 平均只会把坏点摊开，中位数却能把它去掉。下面是一条斜纹，每十个像素有一个被打成极值：

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
# 它们都有梯度，膨胀的窗口也不例外（膨胀的最大汇聚和自定义的归约，在 lax 里都没有梯度）。若给定的是*输出*的尺寸，
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
# ## 习题
#
# 1. 用最大汇聚写出最小汇聚。
# 2. 把 $C$ 个通道的平均汇聚写成第 3 课里的一种层。
# 3. 连做两次 2×2、步幅 1 的最大汇聚，等于哪一种汇聚做一次？换成平均还成立吗？
# 4. 用 `jc.pool` 得到起始文章在平局处的梯度，即平分。
# 5. 图像移动多少，窗口为 2 的最大汇聚才会察觉？
#
# ## 答案

# %% [markdown] lang="en"
# 1: turn the order round, and back. 2: depthwise, with all weights 1/4.

# %% [markdown] lang="zh"
# 第 1 题：先把大小次序反过来，再反回去。第 2 题：逐通道卷积，权重全是 1/4。

# %%
assert jnp.array_equal(jc.pool2d(x, 2, "min"), -jc.pool2d(-x, 2, "max"))
six = maps[:2]
depthwise = jc.conv2d(six, jnp.full((6, 1, 2, 2), 0.25), stride=2, groups=6)
assert jnp.allclose(depthwise, jc.pool2d(six, 2, "mean"), atol=1e-6)

# %% [markdown] lang="en"
# 3: a max pool of 3 x 3: the maximum of maxima is the maximum of the union. Not so for means: the middle cells are
# counted more often, with weights 1 2 1 (lesson 1: two correlations are one, with the convolution of the kernels).

# %% [markdown] lang="zh"
# 第 3 题：3×3 的最大汇聚，因为“最大里的最大”就是并集的最大。平均则不然：中间的格子多算了几次，权重是 1 2 1 （第
# 1 课：两次互相关等于一次，核是两个核的卷积）。

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
# 第 4 题：把 `jnp.max` 当作归约函数传进去。它一次看到窗口里所有的格子，平局时平分。

# %%
split = gradient(lambda x: jc.pool2d(x, 2, jnp.max), tied)
assert jnp.allclose(split, jnp.array([[1, 0], [1, 1]]) / 3)
split

# %% [markdown] lang="en"
# 5: a single bright pixel in the left column of its window may move one cell to the right unnoticed, and none to
# the left. Pooling does not make a network blind to shifts, only a little short-sighted: with stride 2 it answers
# alike to half of all shifts by one.

# %% [markdown] lang="zh"
# 第 5 题：窗口左列上的一个亮点，向右移一格不会被察觉，向左移一格就会。汇聚并没有让网络对平移视而不见，只是有点近
# 视：步幅为 2 时，移动一格的各种情形里有一半结果不变。

# %%
points = jnp.eye(8)  # row i has its bright pixel at i
pooled = jc.pool1d(points, 2, "max")
unnoticed = [i for i in range(7) if jnp.array_equal(pooled[i], pooled[i + 1])]
assert unnoticed == [0, 2, 4, 6]
