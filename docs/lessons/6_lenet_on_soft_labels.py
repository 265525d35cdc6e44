# %% [markdown] lang="en" minutes=40 needs="5" optimize=true
# # 6. LeNet on soft labels
#
# The starting text trains LeNet on pictures of pure noise with random labels. It reports two puzzles: with ten pictures
# the loss ends by hopping up and down, and with a hundred it does not come down. It also names the cause itself: the
# learning rate is too large. This lesson shows why that is the cause, and how large is too large. And it puts another
# puzzle in front: why does the loss never get near 0? None of the three is a mistake in the program. Each is a law, and
# here it is measured.

# %% [markdown] lang="zh" minutes=40 needs="5" optimize=true
# # 6. 软标签上的 LeNet
#
# 原文用纯噪声图像和随机标签训练 LeNet，报告了两个谜：十张图像时，损失到最后上下震荡；换成一百张，损失降不下来。原文自
# 己也指出了原因：学习率太大。这一课说明为什么是它，以及多大才算太大。在这两个谜之前，我们再添一个：损失为什么怎么也到
# 不了 0？这三件事都不是程序出了错，背后各有一条规律，这里把它们都量出来。

# %%
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import drawing
from jaxcnn import lenet
from jaxcnn.train import cross_entropy, entropy, load, preset


def noise(samples):
    """Normal noise, and the softmax of normal noise as labels."""
    return jax.tree.map(
        jnp.asarray, load(replace(preset("synthetic"), samples=samples)).train
    )


ten, hundred = noise(10), noise(100)
print("images", ten.images.shape, "labels", ten.targets.shape)
print("label of sample 0:", np.array(ten.targets[0]).round(3))

# %% [markdown] lang="en"
# A label here is no class but a distribution over ten classes: this picture is class 1 with this probability, class 2
# with that one. Such labels are called *soft*; a label that puts everything on one class is *one-hot*.
#
# ## Why minimising cross-entropy is maximising likelihood
#
# Begin with one-hot labels. The network gives each sample $x_n$ a distribution $p(\cdot\,|\,x_n)$; the sample's true
# class is $c_n$. How likely did the network think all the labels to be, together? The samples are independent, so it
# is a product, and a good network is one for which this *likelihood* is large:
#
# $$\prod_n p(c_n\,|\,x_n) \to \max \quad\Longleftrightarrow\quad -\sum_n \log p(c_n\,|\,x_n) \to \min.$$
#
# The logarithm turns the product into a sum and keeps the order, the minus turns max into min. The right side is the
# cross-entropy, *summed* over the samples. With three samples whose true classes got 0.5, 0.25 and 0.1:

# %% [markdown] lang="zh"
# 这里的标签不是一个类别，而是十个类别上的一个概率分布：这张图以多大的概率是第一类，
# 以多大的概率是第二类……这样的标签叫*软标签*；把全部概率压在一个类上的，叫*独热*（one-hot）标签。
#
# ## 为什么最小化交叉熵就是极大似然
#
# 先看独热标签。对每个样本 $x_n$，网络给出一个分布 $p(\cdot\,|\,x_n)$，样本的真实类别是 $c_n$。在网络看来，
# 所有标签恰好如此的可能性有多大？样本相互独立，所以是连乘；这个*似然*越大，网络越好：
#
# $$\prod_n p(c_n\,|\,x_n) \to \max \quad\Longleftrightarrow\quad -\sum_n \log p(c_n\,|\,x_n) \to \min.$$
#
# 对数把连乘变成求和而不改变大小次序，负号把求最大变成求最小。右边就是交叉熵，而且是对样本*求和*的。举三个样本，
# 真实类别分别得到概率 0.5、0.25 和 0.1：

# %%
given = jnp.array([0.5, 0.25, 0.1])
logits = jnp.log(jnp.stack([given, 1 - given], -1))
summed = cross_entropy(logits, jnp.zeros(3, jnp.int32), reduction="sum")
assert np.isclose(given.prod(), 0.0125)
assert np.isclose(summed, -np.log(0.0125))
print(
    f"likelihood {given.prod():.4f}, its -log {-np.log(given.prod()):.4f}, cross-entropy {summed:.4f}"
)

# %% [markdown] lang="en"
# Now a soft label $q$. Read it as a vote: $N$ people were shown the picture, and $N q_k$ of them called it class $k$.
# The likelihood of all the votes is $\prod_k p_k^{N q_k}$, so for each vote
#
# $$-\frac1N \log \prod_k p_k^{N q_k} = -\sum_k q_k \log p_k,$$
#
# the cross-entropy again. One-hot is the case of a unanimous vote. We can let a hundred thousand people vote:

# %% [markdown] lang="zh"
# 再看软标签 $q$。不妨把它当作一次投票：$N$ 个人看了这张图，其中 $N q_k$ 个人说它是第 $k$ 类。
# 全部选票的似然是 $\prod_k p_k^{N q_k}$，平均到每一票就是
#
# $$-\frac1N \log \prod_k p_k^{N q_k} = -\sum_k q_k \log p_k,$$
#
# 还是交叉熵。独热标签不过是全票通过的情形。让十万个人投票试试：

# %%
q, p = ten.targets[0], ten.targets[1]  # any two distributions will do
votes = np.random.default_rng(0).choice(
    10, size=100_000, p=np.float64(q) / np.float64(q).sum()
)
average = -jnp.log(p)[votes].mean()
exact = cross_entropy(jnp.log(p)[None], q[None], reduction="sum")
assert abs(average - exact) < 0.02
print(f"-log likelihood per vote {average:.3f}, cross-entropy {exact:.3f}")

# %% [markdown] lang="en"
# ## The first puzzle: the loss stops at the entropy
#
# Which $p$ makes $-\sum q_k \log p_k$ smallest? Add and subtract $\sum q_k \log q_k$:
#
# $$\underbrace{-\sum_k q_k \log p_k}_{\text{cross-entropy}} =
# \underbrace{-\sum_k q_k \log q_k}_{H(q),\ \text{entropy}} +
# \underbrace{\sum_k q_k \log \frac{q_k}{p_k}}_{\mathrm{KL}(q\,\|\,p)\ \ge\ 0}.$$
#
# The first term belongs to the label; no network can touch it. The second is never negative: $\log t \le t - 1$ gives
# $-\mathrm{KL} = \sum q_k \log\frac{p_k}{q_k} \le \sum (p_k - q_k) = 0$, and it is 0 only where $p = q$. So the best
# prediction is the label itself, and even that costs $H(q)$. Voters who disagree among themselves can't all be right.
#
# <!-- picture: Cross-entropy over the predicted probability, for two labels: for (0.3, 0.7) the curve touches its
# floor, the entropy 0.61, at 0.3; for (1, 0) the floor is 0, reached only at probability 1; the gap is KL -->

# %% [markdown] lang="zh"
# ## 第一个谜：损失停在熵上
#
# 哪个 $p$ 使 $-\sum q_k \log p_k$ 最小？加一项 $\sum q_k \log q_k$，再减去它：
#
# $$\underbrace{-\sum_k q_k \log p_k}_{\text{交叉熵}} =
# \underbrace{-\sum_k q_k \log q_k}_{H(q)\text{，熵}} +
# \underbrace{\sum_k q_k \log \frac{q_k}{p_k}}_{\mathrm{KL}(q\,\|\,p)\ \ge\ 0}.$$
#
# 第一项只由标签决定，网络奈何不了它。第二项（KL 散度）从不为负：
# 由 $\log t \le t - 1$ 得 $-\mathrm{KL} = \sum q_k \log\frac{p_k}{q_k} \le \sum (p_k - q_k) = 0$，
# 并且只在 $p = q$ 时为 0。所以最好的预测就是标签本身，而即便如此，也要付出 $H(q)$ 的代价：投票的人自己都意见不一，
# 谁也没法让每一票都满意。
#
# <!-- picture: 两种标签下交叉熵随预测概率的变化：标签 (0.3, 0.7) 的曲线在 0.3 处触到地板，即熵 0.61；标签 (1, 0) 的地
# 板是 0，只在概率为 1 处达到；两者之间的空隙是 KL 散度 -->

# %% tags=["hide-input"]
share = jnp.linspace(0.01, 0.99, 99)
pairs = jnp.stack([share, 1 - share], -1)
picture, panels = drawing.plots(1, 2, width=8)
for axes, one in zip(panels, (0.3, 1.0), strict=True):
    label = jnp.array([one, 1 - one])
    losses = cross_entropy(
        jnp.log(pairs), jnp.broadcast_to(label, pairs.shape), reduction="none"
    )
    least = abs(float(entropy(label[None])))
    axes.plot(share, losses, color=drawing.BLUE, label="cross-entropy")
    axes.axhline(
        least, color=drawing.ORANGE, linestyle="--", label=f"H(q) = {least:.2f}"
    )
    axes.fill_between(
        share,
        least,
        losses,
        color=drawing.BLUE,
        alpha=0.12,
        linewidth=0,
        label="KL(q‖p)",
    )
    axes.set(title=f"q = ({one:g}, {1 - one:g})", xlabel="p₁", ylim=(-0.1, 3))
    axes.legend(frameon=False)
picture

# %% [markdown] lang="en"
# Now the run itself, setting by setting that of the starting text: all parameters drawn from the standard normal
# distribution, sigmoid and mean pooling, no bias in the dense layers, the loss summed over the samples, plain
# gradient descent. To see the geometry we keep all parameters in one long vector $\theta$:
#
# <!-- picture: Left, the loss above the entropy falls from about 60 towards 0 at both rates; right, in the last 40
# steps the loss at 0.03 goes up and down at every other step, at 0.003 it falls evenly -->

# %% [markdown] lang="zh"
# 现在来跑原文的那次训练，每一项设置都与它相同：参数全部取自标准正态分布，sigmoid 激活加平均汇聚，
# 全连接层没有偏置，损失对样本求和，朴素的梯度下降。为了看清几何，我们把所有参数排成一个长向量 $\theta$：
#
# <!-- picture: 左图：两种学习率下，损失高出熵的部分都从约 60 降向 0；右图：最后 40 步里，0.03 的损失一步上一步下，
# 0.003 的平稳下降 -->

# %%
normal = jax.nn.initializers.normal(1.0)
params = lenet.init(
    jax.random.key(0), kernel_init=normal, bias_init=normal, dense_bias=False
)
theta_0, as_params = ravel_pytree(params)


@jax.jit
def predict(theta, batch):
    return jax.nn.log_softmax(lenet.apply(as_params(theta), batch.images))


@jax.jit
def loss(theta, batch):
    return -jnp.sum(batch.targets * predict(theta, batch))


@jax.jit
def step(theta, batch, learning_rate):
    value, gradient = jax.value_and_grad(loss)(theta, batch)
    return theta - learning_rate * gradient, value


def descend(theta, batch, learning_rate, steps):
    """The parameters after so many steps, and the loss before each."""
    losses = []
    for _ in range(steps):
        theta, value = step(theta, batch, learning_rate)
        losses.append(value)
    return theta, np.array(jax.device_get(losses))


bound = float(entropy(ten.targets, reduction="sum"))
runs = {rate: descend(theta_0, ten, rate, 1000) for rate in (0.03, 0.003)}
print(f"{theta_0.size} parameters; entropy of the ten labels {bound:.2f}")
for rate, (_, losses) in runs.items():
    rises = (np.diff(losses[-101:]) > 0).sum()
    assert bound < losses[-1] < bound + 1
    print(
        f"rate {rate}: loss {losses[0]:.2f} at first, {losses[-1]:.3f} at last, rising in {rises} of the last 100"
    )

# %% tags=["hide-input"]
picture, (whole, last) = drawing.plots(1, 2, width=8.5, height=2.8)
for (rate, (_, losses)), colour in zip(
    runs.items(), (drawing.ORANGE, drawing.BLUE), strict=True
):
    whole.semilogy(losses - bound, color=colour, linewidth=1, label=f"rate {rate}")
    last.plot(
        np.arange(960, 1000),
        losses[-40:] - losses[-40:].mean(),
        ".-",
        color=colour,
        linewidth=1,
    )
whole.set(xlabel="step", ylabel="loss - H = sum of KL")
whole.legend(frameon=False)
last.set(xlabel="step", ylabel="loss - its mean here")
picture

# %% [markdown] lang="en"
# The left picture shows what is left above the entropy: it is the summed KL, and it goes towards 0 because LeNet,
# with its sixty thousand parameters, can learn ten labels by heart. The floor under it is the entropy of the labels,
# and no network, of any size, gets through it. First puzzle solved; the cell checks the sum.

# %% [markdown] lang="zh"
# 左图画的是损失高出熵的那一部分，也就是 KL 之和。它趋向 0，因为 LeNet 有六万个参数，背下十个标签不在话下。
# 它脚下的地板就是标签的熵，无论多大的网络都穿不过去。第一个谜解开了；下面的代码验一验这笔账。

# %%
end, losses = runs[0.003]
kl = jnp.sum(ten.targets * (jnp.log(ten.targets) - predict(end, ten)))
assert round(bound, 2) == 18.19
assert np.isclose(loss(end, ten), bound + kl, rtol=1e-5)
print(f"loss {loss(end, ten):.3f} = entropy {bound:.3f} + KL {kl:.3f}")

# %% [markdown] lang="en"
# ## The second puzzle: it hops
#
# The right picture shows the last forty steps. At 0.003 the loss falls, at 0.03 it goes up and down with a period of
# exactly two. Lesson 5 has prepared us: in a direction of curvature $\lambda$ one step multiplies the distance to the
# valley's floor by $1 - \eta\lambda$, and that is a hop across the valley as soon as $\eta\lambda > 1$, a growing one
# when $\eta > 2/\lambda$. There the kernel had two numbers and we drew the valley. Here there are sixty thousand, and
# the matrix of second derivatives would have nearly four billion entries. But we need only its largest eigenvalue,
# and for that only products of the matrix with a vector: the derivative of the gradient along the vector, one
# `jax.jvp`. Multiplying again and again turns any vector towards the steepest direction (power iteration).

# %% [markdown] lang="zh"
# ## 第二个谜：跳个不停
#
# 右图是最后四十步。学习率 0.003 时损失一路下降，0.03 时一上一下，周期正好是二。第 5 课已经做好了铺垫：
# 在曲率为 $\lambda$ 的方向上，走一步，到谷底的距离就乘上 $1 - \eta\lambda$。只要 $\eta\lambda > 1$，
# 这一步就会跨过谷底；一旦 $\eta > 2/\lambda$，还会越跨越远。那时卷积核只有两个数，山谷画得出来；这里有六万个参数，
# 二阶导数矩阵有将近四十亿个元素。好在只需要它的最大特征值，而求最大特征值只用得着矩阵乘向量：
# 也就是梯度沿这个向量的导数，一次 `jax.jvp` 就够了。反复地乘，随便什么向量都会转到最陡的方向上去（幂迭代）。


# %%
@jax.jit
def hessian_times(theta, direction, batch):
    return jax.jvp(
        lambda theta: jax.grad(loss)(theta, batch), (theta,), (direction,)
    )[1]


def steepest(theta, batch, rounds=25):
    """The largest curvature at theta, and its direction."""
    product = jax.random.normal(jax.random.key(1), theta.shape)
    for _ in range(rounds):
        direction = product / jnp.linalg.norm(product)
        product = hessian_times(theta, direction, batch)
    return float(direction @ product), direction


smooth = runs[0.003][0]
curvature, _ = steepest(smooth, ten)
border = 2 / curvature
assert 0.003 < border < 0.03
assert runs[0.03][1][-1] < runs[0.003][1][-1]
print(
    f"where the run at 0.003 ends: curvature {curvature:.0f}, 2 / curvature = {border:.4f}"
)

# %% [markdown] lang="en"
# So at the end of the smooth run the border lies between the two rates: 0.003 is below it, 0.03 far above. That is a
# prediction that can be tested. Go on from this very place with other rates: just below the border the run has to
# stay in its valley, just above it has to leave.
#
# <!-- picture: Loss above the entropy over 150 steps from the end of the smooth run, at four rates: 0.003 and 0.95
# times the border stay low, 1.1 times the border and 0.03 are thrown up and settle again -->

# %% [markdown] lang="zh"
# 可见在平稳那次训练的终点，分界线夹在两个学习率之间：0.003 在它下面，0.03 远在它上面。这是一个可以检验的预言：
# 从这个终点出发，换别的学习率接着训练，比分界线略小的应当留在谷里，略大的应当跑出去。
#
# <!-- picture: 从平稳训练的终点再走 150 步，四种学习率下损失高出熵的部分：0.003 和分界线的 0.95 倍留在低处，1.1 倍和
# 0.03 被甩高，然后重新安顿下来 -->

# %%
rates = {
    "0.003": 0.003,
    "0.95 x border": 0.95 * border,
    "1.1 x border": 1.1 * border,
    "0.03": 0.03,
}
onwards = {name: descend(smooth, ten, rate, 150) for name, rate in rates.items()}
highest = {name: losses.max() for name, (_, losses) in onwards.items()}
for name, top in highest.items():
    print(f"{name:14} from {losses[-1]:.3f}, highest {top:.3f}")
assert highest["0.95 x border"] < losses[-1] + 0.01
assert highest["1.1 x border"] > losses[-1] + 0.1

# %% tags=["hide-input"]
picture, axes = drawing.plots(width=7, height=2.8)
colours = (drawing.BLUE, drawing.GREEN, drawing.PURPLE, drawing.ORANGE)
for (name, (_, values)), colour in zip(onwards.items(), colours, strict=True):
    axes.semilogy(values - bound, color=colour, linewidth=1.2, label=f"rate {name}")
axes.set(xlabel="steps from there", ylabel="loss - H", ylim=(0.03, 60))
axes.legend(frameon=False)
picture

# %% [markdown] lang="en"
# The border is where it was computed. But then why doesn't the run at 0.03 fly apart? The picture shows that too: it
# is thrown out of the valley, and after a while it settles in another one. Let us measure the curvature there, at the
# middle between two successive steps, and cut through the valley along the hop from one to the next:
#
# <!-- picture: The loss along the direction of the hop is a parabola; the eight steps jump from one wall to the other
# at nearly the same height -->

# %% [markdown] lang="zh"
# 分界线果然就在算出来的地方。那么学习率 0.03 的训练为什么没有炸开呢？图里也有答案：它被甩出了山谷，
# 过一阵又在另一条山谷里安顿下来。量一量那里的曲率（取相邻两步的中点），再沿着跳的方向把山谷切开看看：
#
# <!-- picture: 沿跳跃方向切开，损失是一条抛物线；八步在两壁之间来回，高度几乎不变 -->

# %%
hops = [runs[0.03][0]]
for _ in range(8):
    hops.append(step(hops[-1], ten, 0.03)[0])
middle = (hops[0] + hops[1]) / 2
hop = (hops[1] - hops[0]) / jnp.linalg.norm(hops[1] - hops[0])
curvature = float(hop @ hessian_times(middle, hop, ten))
greatest, _ = steepest(middle, ten)
for name, value in (("along the hop", curvature), ("the greatest", greatest)):
    assert 0.8 < 0.03 / (2 / value) < 1.25
    print(f"curvature, {name}: {value:.1f}; 2 / curvature = {2 / value:.4f}")

# %% tags=["hide-input"]
places = np.array([float((theta - middle) @ hop) for theta in hops])
reach = 2.5 * np.abs(places).max()
across = np.linspace(-reach, reach, 41)
picture, axes = drawing.plots(width=6, height=2.8)


def cut(places):
    return [float(loss(middle + place * hop, ten)) for place in places]


axes.plot(across, cut(across), color=drawing.PALE)
axes.plot(
    places, cut(places), "o-", color=drawing.ORANGE, markersize=4, linewidth=0.8
)
axes.set(xlabel="along the hop", ylabel="loss", title="eight steps at rate 0.03")
picture

# %% [markdown] lang="en"
# The run at 0.03 has moved to a valley whose curvature is almost exactly $2/0.03 \approx 66.7$, and hops there from
# wall to wall. That is no coincidence. In a steeper valley the hops would grow until they throw it out; in a gentler
# one they would die away. What remains is the border itself: networks trained by plain descent tend to end there, and
# the phenomenon has a name, the *edge of stability* ([Cohen et al. 2021](https://arxiv.org/abs/2103.00065)). In the
# 60,000 other directions the run still creeps downhill: its loss ends even below that of the smooth run, which goes ten
# times slower along the floor.
#
# The author of the starting text saw the hops in what is printed last, the probabilities of sample 0 in two successive
# steps, beside its label:

# %% [markdown] lang="zh"
# 学习率 0.03 的训练搬进了一条新的山谷，那里的曲率几乎正好是 $2/0.03 \approx 66.7$，它就在两壁之间跳来跳去，这就是原文
# 看到的震荡。这不是巧合：山谷再陡一点，跳幅会越来越大，直到把它甩出去；再缓一点，跳动就会平息。剩下的只有分界线本身。
# 用朴素梯度下降训练的网络往往都停在这里，这个现象叫*稳定性边缘*（edge of stability，
# [Cohen 等 2021](https://arxiv.org/abs/2103.00065)）。在其余六万个方向上，它仍在慢慢下坡：它最后的损失比平稳的那次还
# 要低，因为那一次沿着谷底走得慢了十倍。
#
# 原文作者正是在最后打印的结果里看到震荡的：样本 0 在相邻两步的预测概率，旁边是它的标签：

# %%
for name, theta in zip(("one step", "the next", "one more"), hops, strict=False):
    print(f"{name:9}", np.exp(predict(theta, ten)[0]).round(4))
print("label    ", np.array(ten.targets[0]).round(4))

# %% [markdown] lang="en"
# ## The third puzzle: a hundred samples
#
# The loss is a *sum* over samples. With ten times as many, one expects gradient and curvature to be ten times as
# large, the border $2/\lambda$ ten times as low: the same rate is a step ten times as long. Let us measure both at
# the first parameters, along the steepest way down:


# %% [markdown] lang="zh"
# ## 第三个谜：一百个样本
#
# 损失是对样本*求和*的。样本多十倍，梯度和曲率想来也大十倍，分界线 $2/\lambda$ 低十倍；学习率不变，
# 等于步子迈大了十倍。在初始参数处，沿最陡的下坡方向，把两者都量一量：

# %%
for batch in (ten, hundred):
    gradient = theta_0 - step(theta_0, batch, 1.0)[0]
    length = jnp.linalg.norm(gradient)
    curvature = gradient / length @ hessian_times(theta_0, gradient / length, batch)
    print(
        f"{len(batch.images):3} samples: gradient {length:.0f}, curvature {curvature:.0f}, border {2 / curvature:.4f}"
    )

# %% [markdown] lang="en"
# Ten times is the right order: a little less for the gradient, more for the curvature, since the hundred are other
# images and not ten copies of each. Now walk that way, once, and look at the loss for every length of the step:
#
# <!-- picture: Loss per sample after one step, over the length of the step: for ten samples the curve is below its
# start up to about 0.1, for a hundred samples only up to about a tenth of that -->

# %% [markdown] lang="zh"
# 十倍，数量级是对的：梯度不到一些，曲率超出一些，因为那是一百张不同的图像，而不是每张抄十份。
# 现在就朝那个方向只走一步，看看步长不同，损失各是多少：
#
# <!-- picture: 走一步之后每个样本的损失随步长的变化：十个样本时，步长到 0.1 左右曲线都低于起点；一百个样本时，只有大
# 约十分之一的步长以内才低于起点 -->

# %%
lengths = np.geomspace(1e-4, 0.3, 25).tolist()


def after_one_step(batch):
    """The loss that the next step finds, after a first one of each length."""
    moved = [step(theta_0, batch, length)[0] for length in lengths]
    return np.array([step(theta, batch, 0.0)[1] for theta in moved])


picture, axes = drawing.plots(width=7, height=2.8)
for batch, colour in ((ten, drawing.BLUE), (hundred, drawing.ORANGE)):
    samples = len(batch.images)
    axes.semilogx(
        lengths,
        after_one_step(batch) / samples,
        color=colour,
        label=f"{samples} samples",
    )
    start = step(theta_0, batch, 0.0)[1] / samples
    axes.axhline(start, color=colour, linestyle=":", linewidth=1)
for rate in (0.003, 0.03):
    axes.axvline(rate, color=drawing.PALE, linewidth=0.8)
axes.set(
    xlabel="learning rate of the one step", ylabel="loss per sample", ylim=(0, 30)
)
axes.legend(frameon=False)
picture

# %% [markdown] lang="en"
# Dotted is the loss before the step. For ten samples 0.03 still leads down. For a hundred the whole curve has moved
# to the left: 0.003 leads down, 0.03 leads high up the opposite wall. And the steps that follow are no better:

# %% [markdown] lang="zh"
# 虚线是走之前的损失。十个样本时，0.03 还是往下走的；一百个样本时，整条曲线移到了左边：0.003 往下走，
# 0.03 却一步迈上了对面的高坡。再走下去也好不了：

# %%
bound = float(entropy(hundred.targets, reduction="sum"))
assert round(bound, 1) == 191.9
print(f"entropy of the hundred labels {bound:.1f}")
for rate, steps in ((0.03, 400), (0.003, 100), (0.0003, 100)):
    end, losses = descend(theta_0, hundred, rate, steps)
    shown = ", ".join(f"{losses[at]:.0f}" for at in (0, 1, 2, 5, 10, 20, steps - 1))
    rises = (np.diff(losses[-51:]) > 0).sum() if steps > 50 else "-"
    print(
        f"rate {rate}: losses at steps 0, 1, 2, 5, 10, 20, {steps - 1}: {shown}; rises in the last 50: {rises}"
    )
    if rate == 0.03:
        print(f"   highest {losses.max():.0f}, at step {losses.argmax()}")
        assert losses[10] > 2 * losses[0]
        assert losses[0] / 2 < losses[-1] < 1.5 * losses[0]
    if rate == 0.003:
        assert losses[-1] < losses[0] / 2
        print(
            f"   2 / curvature where it ends: {2 / steepest(end, hundred)[0]:.4f}"
        )

# %% [markdown] lang="en"
# At 0.03 the run is thrown far up within ten steps and thrown about for hundreds more, and after four hundred it is
# about as bad as where it began. It has not diverged to infinity, since sigmoids saturate; it just does not learn.
# At 0.003 it learns, yet compare the printed border with the rate: it is the same edge again, reached at a tenth of the
# rate with ten times the samples, and the loss may rise at every other step, as it does for ten samples at 0.03. Only
# 0.0003 has room below the border, and pays for it by being slow.
#
# That is why most programs take the *mean* over the samples: then the border doesn't move with the size of the batch.
# The two are one and the same descent, with the rate divided by the number of samples: 0.3 on the mean of a hundred is
# 0.003 on their sum.

# %% [markdown] lang="zh"
# 学习率 0.03 时，损失十步之内就被高高抛起，此后几百步起伏不定，走完四百步还和出发时差不多。它没有发散到无穷，因为
# sigmoid 会饱和；它只是学不动。0.003 学得动，不过请把打印出的分界线和学习率比一比：又到了同一个边缘，只是样本多了十
# 倍，学习率小了十倍；损失也可能隔一步升一次，跟十个样本、学习率 0.03 时一样。只有 0.0003 离分界线还有余地，代价是慢。
#
# 所以多数程序对样本取*平均*：这样分界线就不随批量大小移动。其实两者是同一个下降过程，只差学习率要除以样本数：对一百个
# 样本取平均、学习率用 0.3，就等于对它们求和、学习率用 0.003。

# %% [markdown] lang="en"
# The same runs by the program, with the loss and the entropy printed side by side:
#
# ```text
# python scripts/train_lenet.py --data synthetic --samples 10
# python scripts/train_lenet.py --data synthetic --samples 10 --learning-rate 0.003
# python scripts/train_lenet.py --data synthetic --samples 100
# ```
#
# ## Exercises
#
# 1. A network that knows nothing answers $p_k = 1/10$. What is its loss on ten samples, whatever the labels are?
# 2. Show that the gradient of the cross-entropy with respect to the logits is $p - q$. Why can a soft label be learnt
#    exactly, and a one-hot label never?
# 3. With one-hot labels, where is the floor? Can the loss reach it?

# %% [markdown] lang="zh"
# 同样的训练，用程序来跑，会把损失和熵并排打印出来：
#
# ```text
# python scripts/train_lenet.py --data synthetic --samples 10
# python scripts/train_lenet.py --data synthetic --samples 10 --learning-rate 0.003
# python scripts/train_lenet.py --data synthetic --samples 100
# ```
#
# ## 练习
#
# 1. 一个什么都不懂的网络总是回答 $p_k = 1/10$。不论标签是什么，它在十个样本上的损失是多少？
# 2. 证明交叉熵对 logits 的梯度是 $p - q$。为什么有了这个式子就知道，软标签能被精确学到，而独热标签永远学不到头？
# 3. 标签是独热的时候，地板在哪里？损失到得了吗？

# %% [markdown] lang="en"
# ### Answers
#
# 1. $-\sum_k q_k \log\frac1{10} = \log 10$ a sample, since the $q_k$ sum to 1: 23.03 for ten. The first losses above
#    are far higher: random parameters of scale 1 are not ignorant but confidently wrong.

# %% [markdown] lang="zh"
# ### 答案
#
# 1. $-\sum_k q_k \log\frac1{10} = \log 10$，因为 $q_k$ 之和为 1；十个样本就是 23.03。上面的初始损失比这高得多：
#    尺度为 1 的随机参数不是无知，而是自信地答错。

# %%
assert np.isclose(
    cross_entropy(jnp.zeros((10, 10)), ten.targets, reduction="sum"),
    10 * np.log(10),
)
round(10 * np.log(10), 2)

# %% [markdown] lang="en"
# 2. With $\log p_k = z_k - \log\sum_j e^{z_j}$ the loss is $\log\sum_j e^{z_j} - \sum_k q_k z_k$, and its derivative
#    in $z_k$ is $p_k - q_k$. A soft label is met at finite logits, where the gradient is 0 and descent comes to rest.
#    A one-hot label asks for $p_k = 1$, which no finite logits give: the gradient never ends.
# 3. At 0: the entropy of certainty. The loss comes as close as one likes, as the logits grow without end.

# %% [markdown] lang="zh"
# 2. 由 $\log p_k = z_k - \log\sum_j e^{z_j}$，损失等于 $\log\sum_j e^{z_j} - \sum_k q_k z_k$，
#    对 $z_k$ 求导得 $p_k - q_k$。软标签在有限的 logits 处就能精确达到，那里梯度为 0，下降就停住了。
#    独热标签要求 $p_k = 1$，有限的 logits 做不到，所以梯度永远不会消失。
# 3. 在 0 处：确定无疑，熵就是 0。损失可以任意接近它，而 logits 会无止境地增大。

# %%
z = jnp.log(p)
assert jnp.allclose(
    jax.grad(lambda z: cross_entropy(z[None], q[None]))(z), p - q, atol=1e-6
)
