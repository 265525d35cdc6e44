# %% [markdown] lang="en" minutes=30 needs="2"
# # 3. Samples and channels
#
# One map and one kernel were lesson 1. A layer has many of both, and most errors of beginners are errors of shape:
# which axis is looped over, and which is summed? The starting text writes five functions for it. Here each of them
# stands in loops, and beside it without them.

# %% [markdown] lang="zh" minutes=30 needs="2"
# # 3. 样本与通道
#
# 第 1 课里只有一张图、一个核。一层网络里两者都有许多，初学者的错误也多半出在形状上：哪个轴是循环，哪个轴要求和？原文
# 为此写了五个函数。这一课把它们逐个写成循环，再在旁边写出没有循环的版本。

# %%
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid

import drawing
import jaxcnn as jc

rng = np.random.default_rng(0)


def random(*shape):
    return rng.normal(size=shape).astype(np.float32)


def same(ours, loops):
    """Equal in shape, and in value to rounding."""
    loops = np.asarray(loops)
    assert ours.shape == loops.shape
    np.testing.assert_allclose(ours, loops, rtol=1e-4, atol=1e-5)
    return ours.shape


# %% [markdown] lang="en"
# ## One map, one kernel: `corr2d`, `corr3d`
#
# Zeros all round, a stride, two loops; a volume takes three. The axes are all *spatial*: the window moves along
# each of them.

# %% [markdown] lang="zh"
# ## 一张图、一个核：`corr2d` 与 `corr3d`
#
# 四周补 0，按步幅移动，二维是两重循环，三维是三重。这里的轴都是*空间*轴：窗口沿每个轴移动。


# %%
def places(data, kernel, stride):
    """How many windows fit on each axis."""
    sizes = zip(data.shape, kernel.shape, strict=True)
    return [(size - window) // stride + 1 for size, window in sizes]


def corr2d(data, kernel, padding, stride):
    data, (h, w) = np.pad(data, padding), kernel.shape
    result = np.zeros(places(data, kernel, stride), np.float32)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            a, b = i * stride, j * stride
            result[i, j] = (data[a : a + h, b : b + w] * kernel).sum()
    return result


def corr3d(data, kernel, padding, stride):
    data, (d, h, w) = np.pad(data, padding), kernel.shape
    result = np.zeros(places(data, kernel, stride), np.float32)
    for i, j, k in np.ndindex(result.shape):  # three loops in one
        a, b, c = i * stride, j * stride, k * stride
        result[i, j, k] = (data[a : a + d, b : b + h, c : c + w] * kernel).sum()
    return result


image, patch = random(7, 8), random(3, 3)
volume, block = random(5, 6, 7), random(2, 3, 3)
ours = jc.corr2d(image, patch, padding=1, stride=2)
print("corr2d", same(ours, corr2d(image, patch, padding=1, stride=2)))
ours = jc.corr3d(volume, block, padding=1, stride=2)
print("corr3d", same(ours, corr3d(volume, block, padding=1, stride=2)))

# %% [markdown] lang="en"
# ## Many samples, many kernels: `convnet_2d`
#
# Grey images `(samples, H, W)` meet kernels `(out, h, w)`. Every image meets every kernel, so the result has both axes:
# `(samples, out, H', W')`. Two loops around `corr2d`, and no sum over channels. In JAX a loop whose rounds do not need
# each other is a `vmap`, and `in_axes` says which argument it runs over. Read it from the inside out:

# %% [markdown] lang="zh"
# ## 许多样本、许多核：`convnet_2d`
#
# 灰度图像 `(samples, H, W)` 配上卷积核 `(out, h, w)`。每张图与每个核都要算一次，所以结果里两个轴都有：
# `(samples, out, H', W')`。写出来就是 `corr2d` 外面套两重循环，不对通道求和。在 JAX 里，各轮互不依赖的循环就是
# `vmap`，`in_axes` 说明对哪个参数循环。请从里往外读：


# %%
def convnet_2d(data, kernels, bias, padding, stride):
    each = list(zip(kernels, bias[:, 0], strict=True))
    layer = [[corr2d(x, k, padding, stride) + b for k, b in each] for x in data]
    return sigmoid(np.array(layer))


def one_map(x, k):
    return jc.corr2d(x, k, padding=2, stride=1)


one_sample = jax.vmap(
    one_map, in_axes=(None, 0)
)  # the image stays, the kernels pass
all_samples = jax.vmap(
    one_sample, in_axes=(0, None)
)  # the kernels stay, the images pass

grey, six, bias = random(2, 12, 12), random(6, 5, 5), random(6, 1)
loops = convnet_2d(grey, six, bias, padding=2, stride=1)
by_vmap = sigmoid(all_samples(grey, six) + bias[:, 0].reshape(1, 6, 1, 1))
ours = sigmoid(jc.conv2d(grey[:, None], six[:, None], bias[:, 0], padding=2))
print("convnet_2d", same(by_vmap, loops), same(ours, loops))

# %% [markdown] lang="en"
# `jc.conv2d` wants a channel axis, even of one channel: hence `grey[:, None]`.
#
# All kernels of a layer share one padding and one stride, for their maps are stacked into one array and so must be of
# one size. Should kernels of different sizes each have their own padding? They may, as long as the maps come out alike:
# one call for each, then `concatenate`. GoogLeNet's Inception blocks are made so.

# %% [markdown] lang="zh"
# `jc.conv2d` 要求有通道轴，哪怕只有一个通道，所以写 `grey[:, None]`。
#
# 同一层的卷积核共用一种填充和一种步幅，因为它们的特征图要叠成一个数组，尺寸必须一致。那么大小不同的核，能不能各用各的
# 填充？可以，只要得到的图一样大：每种核调用一次，再用 `concatenate` 接起来。GoogLeNet 的 Inception 模块就是这样做的：

# %%
small, large = random(4, 1, 3, 3), random(2, 1, 5, 5)
maps = [
    jc.conv2d(grey[:, None], small, padding=1),
    jc.conv2d(grey[:, None], large, padding=2),
]
inception = jnp.concatenate(maps, axis=1)
assert inception.shape == (2, 4 + 2, 12, 12)
print("3x3 with padding 1 beside 5x5 with padding 2:", inception.shape)

# %% [markdown] lang="en"
# ## Channels: `convnet2d`
#
# A colour image has three maps, the second layer of LeNet gets six. Now an output channel has one kernel slice
# *for each input channel*, and the maps that these give are **added**. This is the only new sum:
#
# $$Y_{s,o} = b_o + \sum_{c} X_{s,c} \star K_{o,c}$$
#
# The kernel array is `(out, in, h, w)`. Samples and outputs are looped over, input channels are summed away.
#
# <!-- picture: Two input channels X[0] and X[1] are correlated with the slices K[0, 0] and K[0, 1] of the kernel; the
# two maps and the bias 1 are added up to Y[0] -->

# %% [markdown] lang="zh"
# ## 通道：`convnet2d`
#
# 彩色图像由三张图组成，LeNet 的第二层收到六张。这时每个输出通道对*每个输入通道*各有一片核，所得的几张图要**相加**。新
# 添的求和只有这一个：
#
# $$Y_{s,o} = b_o + \sum_{c} X_{s,c} \star K_{o,c}$$
#
# 核的形状是 `(out, in, h, w)`。样本和输出通道是循环，输入通道求和。
#
# <!-- picture: 两个输入通道 X[0]、X[1] 分别与核的两片 K[0, 0]、K[0, 1] 做互相关，所得两张图相加，再加偏置 1，得到输出
# Y[0] -->

# %% tags=["hide-input"]
x = jnp.stack([jnp.arange(9.0).reshape(3, 3), jnp.eye(3) * 4])
k = jnp.array([[[0.0, 1.0], [2.0, 3.0]], [[1.0, -1.0], [-1.0, 1.0]]])
picture, axes = drawing.canvas(8.2, 19.5)
for c in range(2):
    drawing.feature_map(axes, x[c], (1 + 4.2 * c, 0), title=f"X[{c}]")
    drawing.note(axes, (2.5 + 4.2 * c, 3.5), "⋆", size=15)
    drawing.feature_map(
        axes, k[c], (1.5 + 4.2 * c, 4), title=f"K[0, {c}]", shade=False
    )
    drawing.note(axes, (2.5 + 4.2 * c, 6.5), "=")
    drawing.feature_map(axes, jc.corr2d(x[c], k[c]), (1.5 + 4.2 * c, 7))
    drawing.arrow(axes, (2.5 + 4.2 * c, 9.3), (4.1 + c, 11.2))
drawing.note(axes, (4.6, 11.6), "+", size=15)
drawing.feature_map(axes, ["1"], (4.1, 12.2), title="b[0]", shade=False)
drawing.arrow(axes, (4.6, 13.6), (4.6, 15))
drawing.feature_map(
    axes, jc.conv2d(x, k[None], jnp.ones(1))[0], (3.6, 15.4), title="Y[0]"
)
picture


# %%
def convnet2d(data, kernels, bias, padding, stride):
    samples, outs, ins = len(data), *kernels.shape[:2]
    layer = [[0] * outs for _ in range(samples)]
    for s in range(samples):
        for o in range(outs):
            for c in range(ins):  # the only sum
                layer[s][o] += corr2d(data[s, c], kernels[o, c], padding, stride)
            layer[s][o] = sigmoid(layer[s][o] + bias[o, 0])
    return layer


def one_output(sample, kernel):
    return jax.vmap(one_map)(sample, kernel).sum(axis=0)  # (in, H, W), (in, h, w)


one_sample = jax.vmap(one_output, in_axes=(None, 0))
all_samples = jax.vmap(one_sample, in_axes=(0, None))

colour, kernels = random(2, 3, 9, 9), random(6, 3, 5, 5)
loops = convnet2d(colour, kernels, bias, padding=2, stride=1)
by_vmap = sigmoid(all_samples(colour, kernels) + bias[:, 0].reshape(1, 6, 1, 1))
ours = sigmoid(jc.conv2d(colour, kernels, bias[:, 0], padding=2))
print("convnet2d", same(by_vmap, loops), same(ours, loops))

# %% [markdown] lang="en"
# Four nested loops became four lines, and each line says what becomes of its axis: `vmap` with an output axis, or
# `vmap` and `.sum`. `method="definition"` of jaxcnn is this code.
#
# ## Volumes: `convnet_3d`, and the law that joins the two
#
# `convnet_3d` is `convnet_2d` with a third *spatial* axis: `(samples, D, H, W)` with `(out, d, h, w)`. Depth and
# channel look alike in a shape, yet a window moves along a depth and never along channels. An RGB image of shape `(3,
# H, W)` is therefore *not* a volume of depth 3: red, green and blue are three channels that lie on the same place, not
# three slices one behind the other, and nothing is gained from sliding a window from red to green. But a window cannot
# slide if there is no room: let it be as deep as the volume, and depth *is* a channel axis. That is the text's own law:
#
# > A 2-D layer of $C$ input channels is `corr3d` with a kernel of depth $C$.

# %% [markdown] lang="zh"
# 四重循环变成了四行，每一行都说明一个轴的去向：要么经 `vmap` 成为输出的轴，要么经 `vmap` 再 `.sum` 掉。jaxcnn 的
# `method="definition"` 就是这段代码。
#
# ## 立体数据：`convnet_3d`，以及联系两者的规律
#
# `convnet_3d` 比 `convnet_2d` 多一个*空间*轴：`(samples, D, H, W)` 配上 `(out, d, h, w)`。深度和通道在形状里看不出区
# 别，可是窗口会沿深度移动，从不沿通道移动。所以形状为 `(3, H, W)` 的 RGB 图像*不是*深度为 3 的立体数据：红、绿、蓝是
# 同一位置上的三个通道，不是前后排列的三个切片，让窗口从红滑到绿没有意义。不过，没有余地就滑不动：让窗口与数据一样深，
# 深度就*成了*通道。这正是原文自己的规律：
#
# > $C$ 个输入通道的二维层，就是核深为 $C$ 的 `corr3d`。


# %%
def convnet_3d(data, kernels, bias, padding, stride):
    each = list(zip(kernels, bias[:, 0], strict=True))
    layer = [[corr3d(x, k, padding, stride) + b for k, b in each] for x in data]
    return sigmoid(np.array(layer))


volumes, blocks = random(2, 4, 6, 6), random(6, 2, 3, 3)
loops = convnet_3d(volumes, blocks, bias, padding=1, stride=1)
ours = sigmoid(jc.conv3d(volumes[:, None], blocks[:, None], bias[:, 0], padding=1))
print("convnet_3d", same(ours, loops))

layer = jc.conv2d(colour, kernels, padding=2)
as_depth = jc.corr3d(
    colour[0], kernels[0], padding=(0, 2, 2)
)  # depth 3 in a depth of 3: no room
print("depth 3 without padding:", as_depth.shape)
same(as_depth[0], layer[0, 0])

# %% [markdown] lang="en"
# All shapes at a glance, with $N$ samples, $C$ input and $O$ output channels:
#
# | function | data | kernel | result | summed over |
# |---|---|---|---|---|
# | `corr2d` | $(H, W)$ | $(h, w)$ | $(H', W')$ | $h, w$ |
# | `corr3d` | $(D, H, W)$ | $(d, h, w)$ | $(D', H', W')$ | $d, h, w$ |
# | `convnet_2d` | $(N, H, W)$ | $(O, h, w)$ | $(N, O, H', W')$ | $h, w$ |
# | `convnet2d` | $(N, C, H, W)$ | $(O, C, h, w)$ | $(N, O, H', W')$ | $C, h, w$ |
# | `convnet_3d` | $(N, D, H, W)$ | $(O, d, h, w)$ | $(N, O, D', H', W')$ | $d, h, w$ |
#
# Three rules make the whole table. A place *within* the window, a small letter, is always summed. So is $C$, which data
# and kernel share without sliding along it. Everything else stays: $N$, which only the data have, $O$, which only the
# kernel has, and the spatial axes, with as many cells as there are windows.

# %% [markdown] lang="zh"
# 把所有形状列在一起，$N$ 是样本数，$C$ 是输入通道数，$O$ 是输出通道数：
#
# | 函数 | 数据 | 卷积核 | 结果 | 求和的轴 |
# |---|---|---|---|---|
# | `corr2d` | $(H, W)$ | $(h, w)$ | $(H', W')$ | $h, w$ |
# | `corr3d` | $(D, H, W)$ | $(d, h, w)$ | $(D', H', W')$ | $d, h, w$ |
# | `convnet_2d` | $(N, H, W)$ | $(O, h, w)$ | $(N, O, H', W')$ | $h, w$ |
# | `convnet2d` | $(N, C, H, W)$ | $(O, C, h, w)$ | $(N, O, H', W')$ | $C, h, w$ |
# | `convnet_3d` | $(N, D, H, W)$ | $(O, d, h, w)$ | $(N, O, D', H', W')$ | $d, h, w$ |
#
# 整张表只有三条规则。窗口*内部*的位置，即小写字母，总是求和的；$C$ 也求和，它是数据和卷积核共有而窗口又不沿着移动的
# 轴；其余的都留下：只有数据才有的 $N$，只有卷积核才有的 $O$，以及空间轴，其长度变成窗口的个数。

# %% [markdown] lang="en"
# ## One bias for what?
#
# The starting text asks this and leaves it open. Its code answers: `bias[o, 0]`, one number for each output channel,
# for all its positions and all samples. That is not the only choice. Take LeNet's first layer, one channel in and six
# maps of 28 x 28 out, and these are all there are:
#
# | one bias for each ... | numbers | what it would mean |
# |---|---|---|
# | layer | 1 | all features share one threshold |
# | input channel | 1 | nothing new: the sum over $c$ melts them into one per layer |
# | **output channel** | **6** | **a threshold for each feature** |
# | kernel slice (output *and* input channel) | 6 · 1 | nothing new: they melt into one per output channel |
# | output channel and position | 6 · 28 · 28 = 4704 | a feature that is easier to find here than there |
# | sample | one per training image | none is left for an image never seen |
#
# A kernel looks for a feature, and the bias says how much of it is enough: the sigmoid passes one half where $X \star K
# = -b$. The feature belongs to the channel, so does the threshold. First the two rows that bring nothing new, in the
# layer of three channels from above:

# %% [markdown] lang="zh"
# ## 一个偏置管什么？
#
# 原文提出了这个问题，没有下结论。它的代码其实作了选择：`bias[o, 0]`，每个输出通道一个数，所有位置、所有样本共用。这不
# 是唯一的选法。以 LeNet 的第一层为例，输入一个通道，输出六张 28×28 的图，所有的选法如下：
#
# | 一个偏置管一个…… | 个数 | 意味着什么 |
# |---|---|---|
# | 层 | 1 | 所有特征共用一个门槛 |
# | 输入通道 | 1 | 没有新东西：对 $c$ 求和以后，它们合成了整层的一个数 |
# | **输出通道** | **6** | **每种特征有自己的门槛** |
# | 输出通道 × 输入通道，即核的每一片 | 6 · 1 | 没有新东西：对 $c$ 求和以后，它们合成了每个输出通道的一个数 |
# | 输出通道 × 位置 | 6 · 28 · 28 = 4704 | 同一种特征，在这里比在那里更容易被认出 |
# | 样本 | 每张训练图像一个 | 遇到新的图像，没有偏置可用 |
#
# 卷积核寻找一种特征，偏置规定找到多少才算数：在 $X \star K = -b$ 处，sigmoid 恰好取二分之一。特征属于通道，门槛也就属
# 于通道。先用前面三个通道的那一层，验证“没有新东西”的两行：

# %%
without = jc.conv2d(colour, kernels, padding=2)
each_slice = random(6, 3)  # one for each output and input channel
added = jnp.stack(
    [
        sum(
            jc.conv2d(
                colour[:, c : c + 1], kernels[o : o + 1, c : c + 1], padding=2
            )
            + each_slice[o, c]
            for c in range(3)
        )[:, 0]
        for o in range(6)
    ],
    axis=1,
)
as_channels = without + each_slice.sum(1)[:, None, None]
same(added, as_channels)

each_input = np.broadcast_to(random(3), (6, 3))  # the same for every output
assert (
    np.ptp(each_input.sum(1)) < 1e-6
)  # so all outputs get one and the same number

# %% [markdown] lang="en"
# Sharing the bias over positions keeps what makes a convolutional layer worth having, **shift equivariance**: move the
# image, and the maps move along. On a map that goes round (`padding_mode="circular"`), the law is exact:

# %% [markdown] lang="zh"
# 各个位置共用一个偏置，才保住了卷积层最可贵的性质：**平移等变性**。图像移动，特征图就跟着移动。在首尾相接的图上
# （`padding_mode="circular"`），这条规律严格成立：


# %%
def shifted(x):
    return jnp.roll(x, (2, 3), axis=(-2, -1))


def responds(x, bias):
    y = jc.conv2d(x, kernels, padding="SAME", padding_mode="circular")
    return sigmoid(y + bias)


each_channel, each_position = random(6, 1, 1), random(6, 9, 9)
for name, b in (("per channel ", each_channel), ("per position", each_position)):
    error = jnp.abs(
        responds(shifted(colour), b) - shifted(responds(colour, b))
    ).max()
    print(f"{name}: {b.size:3} numbers, moved too unless 0: {error:.2g}")
    assert (error < 1e-5) == (name == "per channel ")

# %% [markdown] lang="en"
# Sharing shows in the gradient as well: what is used everywhere gets a gradient from everywhere. The bias of a
# channel has as its gradient the sum over all samples and all positions.

# %% [markdown] lang="zh"
# 共用也反映在梯度里：一个数用在哪里，就从哪里得到梯度。每个通道的偏置处处都用到，所以它的梯度是对所有样本、所有位置求
# 和。

# %%
cotangent = random(2, 6, 9, 9)
loss = lambda b: jnp.sum(jc.conv2d(colour, kernels, b, padding=2) * cotangent)
same(jax.grad(loss)(bias[:, 0]), cotangent.sum((0, 2, 3)))

# %% [markdown] lang="en"
# The text stores its bias as `(out, 1)`; here it is `(out,)`, and the other shape is refused with the way out:

# %% [markdown] lang="zh"
# 原文里偏置的形状是 `(out, 1)`，这里是 `(out,)`；给错了形状，报错信息会说怎么改：

# %%
try:
    jc.conv2d(colour, kernels, bias)
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ## Groups: not every channel sees every channel
#
# With `groups=g` the channels are dealt into $g$ groups, and an output channel sums over its own group only. With
# as many groups as channels the layer is *depthwise*: each channel by itself, no sum over channels. The kernel
# shrinks to `(out, in / groups, h, w)`. Which output sees which input? Send a 1 into one channel at a time and look
# where it comes out:
#
# <!-- picture: Which of four output channels sees which of four input channels: all 16 with groups=1, two blocks of 2x2
# on the diagonal with groups=2, only the diagonal with groups=4 -->

# %% [markdown] lang="zh"
# ## 分组：不是每个通道都看得到每个通道
#
# 设 `groups=g`，通道就分成 $g$ 组，输出通道只对本组的输入通道求和。组数等于通道数时，叫*逐通道*（depthwise）卷积：每
# 个通道只与自己的核做互相关，通道之间不求和。核也小了，形状是 `(out, in / groups, h, w)`。哪个输出看得到哪个输入？每
# 次只在一个通道里放一个 1，看它从哪里出来就知道了：
#
# <!-- picture: 四个输入通道与四个输出通道之间的联系：groups=1 时 16 片核全连，groups=2 时对角线上两个 2×2 的块共 8
# 片，groups=4 时只有对角线上的 4 片 -->

# %% tags=["hide-input"]
picture, axes = drawing.canvas(5.6, 17)
one_at_a_time = jnp.eye(4).reshape(
    4, 4, 1, 1
)  # sample c has a 1 in channel c, and nothing else
for column, groups in ((0, 1), (6, 2), (12, 4)):
    weights = jnp.ones((4, 4 // groups, 1, 1))
    sees = jc.conv2d(one_at_a_time, weights, groups=groups)[:, :, 0, 0].T > 0
    title = f"groups={groups}: {weights.size} slices"
    drawing.feature_map(
        axes, np.where(sees, "1", ""), (1, column), title=title, shade=False
    )
    for o, c in zip(*np.nonzero(sees), strict=True):
        drawing.window(axes, (1 + o, column + c), (1, 1), colour=drawing.BLUE)
drawing.note(axes, (5.4, 2), "input channel", size=9)
picture

# %% [markdown] lang="en"
# Rows are output channels, columns input channels. A depthwise layer mixes positions and not channels; a 1 x 1
# layer mixes channels and not positions. One after the other they replace a full layer at a fraction of its price,
# which is what MobileNet is made of: for 64 channels and 3 x 3 windows,

# %% [markdown] lang="zh"
# 行是输出通道，列是输入通道。逐通道卷积混合位置而不混合通道，1×1 卷积混合通道而不混合位置。两者前后相接，用几分之一的
# 代价代替一个完整的层，MobileNet 就是这样搭起来的。以 64 个通道、3×3 窗口为例：

# %%
full, depthwise, pointwise = 64 * 64 * 9, 64 * 1 * 9, 64 * 64
two = depthwise + pointwise
print(f"full {full}, depthwise + pointwise {two}: {full / two:.1f} times less")

# %% [markdown] lang="en"
# ## Exercises
#
# 1. How many parameters have LeNet's two convolutional layers? Check with `lenet.init`.
# 2. Show that a 1 x 1 layer is one dense layer, applied to every pixel.
# 3. Show that a dense layer on a map is a convolutional layer whose window is as large as the map.
# 4. Write `groups` with `vmap` around a layer without groups.
# 5. With zero padding, is the layer still shift equivariant?
#
# ## Answers

# %% [markdown] lang="zh"
# ## 练习
#
# 1. LeNet 的两个卷积层各有多少参数？用 `lenet.init` 核对。
# 2. 证明：1×1 的卷积层，就是把同一个全连接层用到每个像素上。
# 3. 证明：特征图上的全连接层，就是窗口与图一样大的卷积层。
# 4. 用 `vmap` 和不分组的层写出 `groups`。
# 5. 用 0 填充时，卷积层还是平移等变的吗？
#
# ## 答案

# %% [markdown] lang="en"
# 1: $6\,(1\cdot25 + 1) = 156$ and $16\,(6\cdot25 + 1) = 2416$.

# %% [markdown] lang="zh"
# 第 1 题：$6\,(1\cdot25 + 1) = 156$，$16\,(6\cdot25 + 1) = 2416$。

# %%
params = jax.eval_shape(
    jc.lenet.init, jax.random.key(0)
)  # shapes only, nothing is drawn
counts = [
    sum(p.size for p in params[layer].values()) for layer in ("conv1", "conv2")
]
assert counts == [156, 2416]

# %% [markdown] lang="en"
# 2 and 3: in both the window has nowhere to move, or nothing to gather. The `einsum` strings say it.

# %% [markdown] lang="zh"
# 第 2、3 题：前者的窗口只有一格，没有邻居可以收集；后者的窗口没有地方可以移动。`einsum` 的下标说得很明白。

# %%
pixelwise, whole = random(5, 3, 1, 1), random(5, 3, 9, 9)
same(
    jc.conv2d(colour, pixelwise),
    jnp.einsum("nchw,oc->nohw", colour, pixelwise[:, :, 0, 0]),
)
same(
    jc.conv2d(colour, whole)[:, :, 0, 0],
    colour.reshape(2, -1) @ whole.reshape(5, -1).T,
)

# %% [markdown] lang="en"
# 4: deal the channels out, map over the groups, put them back in a row.

# %% [markdown] lang="zh"
# 第 4 题：把通道分到各组，对组做 `vmap`，再接回去。


# %%
def grouped(x, k, groups):
    x = x.reshape(len(x), groups, -1, *x.shape[2:])
    k = k.reshape(groups, -1, *k.shape[1:])
    y = jax.vmap(jc.conv2d, in_axes=(1, 0), out_axes=1)(x, k)
    return y.reshape(len(y), -1, *y.shape[3:])


four, weights = random(2, 4, 5, 5), random(6, 2, 3, 3)
same(jc.conv2d(four, weights, groups=2), grouped(four, weights, 2))

# %% [markdown] lang="en"
# 5: only away from the rim. The zeros do not move with the image, so a cell that sees them answers differently; a
# deep network can even learn from them where the rim is.

# %% [markdown] lang="zh"
# 第 5 题：只在远离边缘的地方成立。填充的 0 不随图像移动，看得到它们的格子结果就会不同；很深的网络甚至能借此学会边缘在
# 哪里。

# %%
move = lambda x: jnp.roll(x, 1, axis=-1)
layer = lambda x: jc.conv2d(x, kernels, padding=2)
differs = jnp.abs(layer(move(colour)) - move(layer(colour))).max((0, 1, 2)) > 1e-4
assert not differs[3:-2].any()
assert differs[:3].any()
print("columns that differ:", np.flatnonzero(differs))
