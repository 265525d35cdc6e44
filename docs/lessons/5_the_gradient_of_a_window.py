# %% [markdown] lang="en" minutes=30 needs="1"
# # 5. The gradient of a window
#
# So far the kernel was given and the output followed. Learning asks the other way round: the output should be
# different, so how must the kernel change, and how the map before it? The answers turn out to be two old
# acquaintances: a correlation, and a correlation run backwards. With them a kernel finds the edges of a picture by
# itself.

# %% [markdown] lang="zh" minutes=30 needs="1"
# # 5. 窗口的梯度
#
# 前几课里，卷积核是给定的，输出由它算出来。学习要问的是反过来的问题：如果希望输出变一变，卷积核该怎么改，
# 前面的特征图又该怎么改？答案是两个老熟人：一个是互相关，另一个是倒着走的互相关。有了它们，
# 卷积核就能自己学会找图像的边缘。

# %%
import jax
import jax.numpy as jnp
import numpy as np

import drawing
import jaxcnn as jc

x = jnp.arange(9.0).reshape(3, 3)
k = jnp.array([[0.0, 1.0], [2.0, 3.0]])
c = jnp.array([[1.0, 0.0], [0.0, 2.0]])


def loss(x, k):
    return jnp.sum(c * jc.corr2d(x, k))


# %% [markdown] lang="en"
# ## What reaches the layer from above
#
# Let $Y$ be the correlation of $X$ with $K$ from lesson 1, and $L$ any loss that comes after it. By the chain rule,
# all that the layer needs to know of what comes after is one number for each output cell,
# $C_{ij} = \partial L / \partial Y_{ij}$: how much the loss grows when this cell grows. It is called the cotangent of
# $Y$. Here we choose $C = \begin{pmatrix}1&0\\0&2\end{pmatrix}$: the loss is $Y_{00} + 2\,Y_{11}$, two of the four
# cells don't count.

# %% [markdown] lang="zh"
# ## 上游传来的东西
#
# 设 $Y$ 是第 1 课里 $X$ 与 $K$ 的互相关，$L$ 是后面随便一个损失函数。按链式法则，对于后面发生的一切，这一层只需要知
# 道：每个输出格子各一个数 $C_{ij} = \partial L / \partial Y_{ij}$，也就是这一格增大时损失增大多少。它叫作 $Y$ 的上游
# 梯度（英文是 cotangent）。这里取 $C = \begin{pmatrix}1&0\\0&2\end{pmatrix}$，也就是 $L = Y_{00} + 2\,Y_{11}$，四格里
# 有两格不起作用。

# %% [markdown] lang="en"
# ## The kernel's gradient is a correlation
#
# Start from the definition and ask for one weight $K_{ab}$:
#
# $$Y_{ij} = \sum_{a,b} X_{i+a,\,j+b}\,K_{ab} \quad\Longrightarrow\quad
# \frac{\partial L}{\partial K_{ab}} = \sum_{i,j} C_{ij}\,X_{i+a,\,j+b}.$$
#
# Read the right side with fresh eyes: the indices are those of lesson 1, only that $(i, j)$ is summed away now and
# $(a, b)$ stays. It is the correlation of $X$ with $C$, the cotangent as the kernel. A weight is to be changed by
# what it saw, weighted by how much that mattered.
#
# <!-- picture: The map X is correlated with C, which has 1 and 2 on its diagonal; that gives the kernel's gradient 8,
# 11, 17, 20, of which the first is 1·0 + 2·4 -->

# %% [markdown] lang="zh"
# ## 卷积核的梯度还是互相关
#
# 从定义出发，只看一个权重 $K_{ab}$：
#
# $$Y_{ij} = \sum_{a,b} X_{i+a,\,j+b}\,K_{ab} \quad\Longrightarrow\quad
# \frac{\partial L}{\partial K_{ab}} = \sum_{i,j} C_{ij}\,X_{i+a,\,j+b}.$$
#
# 换个眼光看右边：下标和第 1 课一模一样，只不过现在求和求掉的是 $(i, j)$，留下来的是 $(a, b)$。
# 这就是 $X$ 与 $C$ 的互相关，上游梯度当了一回卷积核。意思也很朴素：一个权重见过什么数，就按那些数的要紧程度加权，
# 加起来便是它该怎么变。
#
# <!-- picture: 特征图 X 与对角线上为 1 和 2 的 C 做互相关，得到卷积核的梯度 8、11、17、20，其中第一个数是 1·0 + 2·4
# -->

# %% tags=["hide-input"]
kernel_gradient = jc.corr2d(x, c)
picture, axes = drawing.canvas(4.2, 14)
drawing.feature_map(axes, x, (1, 0), title="X")
drawing.window(axes, (1, 0), c.shape)
drawing.note(axes, (2.5, 4), "⋆", size=15)
drawing.feature_map(axes, c, (1.5, 5), title="C = dL/dY", colour=drawing.PURPLE)
drawing.note(axes, (2.5, 8), "=")
drawing.feature_map(
    axes, kernel_gradient, (1.5, 9), title="dL/dK", colour=drawing.GREEN
)
drawing.window(axes, (1.5, 9), (1, 1), colour=drawing.ORANGE)
drawing.note(axes, (2, 11.3), "1·0 + 2·4 = 8", align="left", size=8)
picture

# %%
assert kernel_gradient.tolist() == [[8, 11], [17, 20]]
assert jnp.array_equal(kernel_gradient, jax.grad(loss, argnums=1)(x, k))
kernel_gradient

# %% [markdown] lang="en"
# ## The map's gradient lays kernels down
#
# Now ask for one cell $X_{pq}$. It is seen by every window that covers it: by the window at $(i, j)$ it is seen with
# the weight $K_{p-i,\,q-j}$, if there is one. So
#
# $$\frac{\partial L}{\partial X_{pq}} = \sum_{i,j} C_{ij}\,K_{p-i,\,q-j}.$$
#
# Forwards, a window *collects* cells into one output. Backwards, each output *lays its kernel down* on the cells that
# it came from, multiplied by its cotangent, and what overlaps is summed. This is the transposed convolution, which
# people also use forwards, to make small maps large. The minus signs in the indices say that it is a true
# convolution, of $C$ padded all round (`"FULL"`): the flip that lesson 1 left out comes back by itself.
#
# <!-- picture: The kernel K is laid down at (0, 0), and twice K at (1, 1); their sum is the gradient of the map, and in
# the middle, where they overlap, it is 3 + 0 -->

# %% [markdown] lang="zh"
# ## 特征图的梯度：把卷积核铺回去
#
# 再来看特征图上的一格 $X_{pq}$。凡是盖住它的窗口都看见了它：
# 位于 $(i, j)$ 的窗口是用权重 $K_{p-i,\,q-j}$ 看它的（如果有这个权重）。所以
#
# $$\frac{\partial L}{\partial X_{pq}} = \sum_{i,j} C_{ij}\,K_{p-i,\,q-j}.$$
#
# 向前算，窗口把许多格子*收*成一个输出；向后算，每个输出把卷积核乘上自己的上游梯度，*铺*回当初的那些格子，
# 重叠的地方相加。这就是转置卷积；它也常常用在前向，把小图放大。下标里的减号说明这是真正的卷积，
# 只是 $C$ 的四周先补满了零（`"FULL"`）：第 1 课省掉的那次翻转，在这里自己回来了。
#
# <!-- picture: 卷积核 K 铺在 (0, 0) 处，K 的两倍铺在 (1, 1) 处，两者相加就是特征图的梯度；正中间重叠的一格是 3 + 0
# -->

# %% tags=["hide-input"]
data_gradient = jc.conv_transpose2d(c[None, None], k[None, None])[0, 0]
picture, axes = drawing.canvas(4.2, 19)
parts = [
    jc.conv_transpose2d((c * one)[None, None], k[None, None])[0, 0]
    for one in (jnp.diag(v) for v in np.eye(2))
]
for n, (part, title) in enumerate(
    zip(parts, ("1 · K at (0, 0)", "2 · K at (1, 1)"), strict=True)
):
    drawing.feature_map(axes, part, (1, 5 * n), title=title, colour=drawing.PURPLE)
    drawing.window(axes, (1 + n, 5 * n + n), k.shape)
    drawing.note(axes, (2.5, 5 * n + 4), "+="[n])
drawing.feature_map(
    axes, data_gradient, (1, 10), title="dL/dX", colour=drawing.GREEN
)
drawing.note(
    axes, (2.5, 13.4), "they overlap in\nthe middle: 3 + 0", align="left", size=8
)
picture

# %%
assert data_gradient.tolist() == [[0, 1, 0], [2, 3, 2], [0, 4, 6]]
assert jnp.array_equal(data_gradient, jax.grad(loss, argnums=0)(x, k))
assert jnp.array_equal(data_gradient, jc.convolve(c, k, padding="FULL"))
data_gradient

# %% [markdown] lang="en"
# Choose an output and see what it gives to the map and to the kernel; then take all outputs at once.
#
# <div class="playground" data-map="0 1 2 / 3 4 5 / 6 7 8" data-kernel="0 1 / 2 3"
# data-show="operation size window stride padding mode dilation backward"></div>

# %% [markdown] lang="zh"
# 选一个输出，看它给特征图和卷积核传去多少；再让所有输出一起来。
#
# <div class="playground" data-map="0 1 2 / 3 4 5 / 6 7 8" data-kernel="0 1 / 2 3"
# data-show="operation size window stride padding mode dilation backward"></div>

# %% [markdown] lang="en"
# `jax.grad` gives the same numbers as our two formulas. But `jax.grad` of our own operation uses these very formulas,
# so that is no proof. Finite differences know nothing of them: move one number, see what the loss does. And since the
# loss is linear in $K$ and linear in $X$, the difference is no approximation here; a step of 1 is exact.

# %% [markdown] lang="zh"
# `jax.grad` 给出的数和两条公式一致。可是对我们自己的运算求 `jax.grad`，用的正是这两条公式，所以这算不上证明。
# 有限差分就不同了，它对公式一无所知：只动一个数，看损失变多少。而且损失对 $K$ 是线性的，对 $X$ 也是线性的，
# 所以差分在这里不是近似：步长取 1，结果分毫不差。

# %%
moved_k = [
    [loss(x, k.at[a, b].add(1.0)) - loss(x, k) for b in range(2)] for a in range(2)
]
moved_x = [
    [loss(x.at[p, q].add(1.0), k) - loss(x, k) for q in range(3)] for p in range(3)
]
assert jnp.array_equal(jnp.array(moved_k), kernel_gradient)
assert jnp.array_equal(jnp.array(moved_x), data_gradient)

# %% [markdown] lang="en"
# ## One number, read three ways
#
# Write $\langle A, B\rangle$ for the sum of the products of two arrays. The loss $\sum C_{ij}\,X_{i+a,j+b}\,K_{ab}$ is
# one triple sum, and it may be bracketed around any of its three arrays:
#
# $$\langle C,\ \mathrm{corr}(X, K)\rangle = \langle X,\ \mathrm{transposed}(C, K)\rangle
# = \langle K,\ \mathrm{corr}(X, C)\rangle.$$
#
# The first equation is the *adjoint law*: the transposed convolution is to correlation what the transposed matrix is to
# a matrix. It holds for any arrays, strides and paddings, provided that the transposed convolution is told to return to
# the size of $X$: where a stride leaves cells over, that takes the `output_padding` of lesson 2. That makes it the best
# test that such code can have; this library is tested with it throughout. It also ends the matter: each of the
# three operations has the two others for its derivatives, so gradients of gradients need nothing new.

# %% [markdown] lang="zh"
# ## 一个数，三种读法
#
# 记 $\langle A, B\rangle$ 为两个数组对应相乘再求和。损失 $\sum C_{ij}\,X_{i+a,j+b}\,K_{ab}$ 是一个三重求和，括号可以
# 围着三个数组中的任意一个打：
#
# $$\langle C,\ \mathrm{corr}(X, K)\rangle = \langle X,\ \mathrm{transposed}(C, K)\rangle
# = \langle K,\ \mathrm{corr}(X, C)\rangle.$$
#
# 第一个等号就是*伴随律*：转置卷积之于互相关，正如转置矩阵之于矩阵。不管什么数组、什么步幅、什么填充，它都成立，只要求
# 转置卷积回到 $X$ 的尺寸：步幅有剩余的格子时，要用第 2 课的 `output_padding`。检验这类代码没有比它更好的试题，本库处
# 处用它测试。它还让事情到此为止：这三种运算，每一种的导数就是另外两种，梯度的梯度也不需要任何新东西。

# %%
readings = [
    jnp.vdot(c, jc.corr2d(x, k)),
    jnp.vdot(x, data_gradient),
    jnp.vdot(k, kernel_gradient),
]
assert readings == [105, 105, 105]  # 19 + 2 * 43
[float(reading) for reading in readings]

# %% [markdown] lang="en"
# ## With a stride
#
# At stride $s$ the window at $(i, j)$ starts at $(si, sj)$, so $X_{i+a,\,j+b}$ becomes $X_{si+a,\,sj+b}$ in all three
# readings. For the kernel's gradient that is a correlation whose kernel $C$ has its cells $s$ apart: *the stride of the
# way forwards is the dilation of the way back.* For the map's gradient the kernels are laid down $s$ apart.
#
# Both sentences have a condition where the stride leaves cells over, as on the 5 x 5 map below. No window has seen its
# last row and column. The dilated correlation would count them in and come out as 3 x 3: only its first 2 x 2 cells, as
# many as the kernel has, are the gradient. And the kernels laid down reach over 4 x 4 cells only: the others get the
# gradient 0, which is what `output_padding=1` adds.

# %% [markdown] lang="zh"
# ## 有步幅的时候
#
# 步幅为 $s$ 时，$(i, j)$ 处的窗口从 $(si, sj)$ 开始，三种读法里的 $X_{i+a,\,j+b}$ 一律换成 $X_{si+a,\,sj+b}$。对卷积
# 核的梯度来说，这是以 $C$ 为核的互相关，只是核里相邻两格隔着 $s$：*前向的步幅，就是反向的空洞*（dilation）。对特征图
# 的梯度来说，则是每隔 $s$ 格铺下一个卷积核。
#
# 步幅有剩余的格子时，这两句话都要加一个条件。以下面 5×5 的图为例，最后一行和最后一列没有窗口看到。带空洞的互相关却会
# 把它们算进去，结果成了 3×3，其中只有前 2×2 格（与卷积核一样大）才是梯度。铺下的卷积核也只盖住 4×4 格，其余各格的梯度
# 是 0，`output_padding=1` 补上的就是它们。

# %%
wide = jnp.arange(16.0).reshape(4, 4)
by_grad = jax.grad(lambda k: jnp.sum(c * jc.corr2d(wide, k, stride=2)))(k)
assert jnp.array_equal(by_grad, jc.corr2d(wide, c, dilation=2))
by_grad

# %%
over = jnp.arange(25.0).reshape(5, 5)
strided = lambda x, k: jnp.sum(c * jc.corr2d(x, k, stride=2))
to_map, to_kernel = jax.grad(strided, argnums=(0, 1))(over, k)
dilated = jc.corr2d(over, c, dilation=2)
assert dilated.shape == (3, 3)
assert jnp.array_equal(to_kernel, dilated[:2, :2])
back = {"stride": 2, "output_padding": 1}
laid_down = jc.conv_transpose2d(c[None, None], k[None, None], **back)[0, 0]
assert jnp.array_equal(to_map, laid_down)
to_map

# %% [markdown] lang="en"
# ## A kernel that learns to see edges
#
# The picture $X$ is white (1) with a dark band (0) in the middle. Its edges are where a cell differs from its right
# neighbour, and the kernel $(1, -1)$ finds them: 1 from white to dark, -1 from dark to white, 0 elsewhere.
#
# <!-- picture: The picture X, white with a dark band over four columns; correlated with (1, -1) it becomes Y, with a
# column of 1 where the band begins, a column of -1 where it ends, and 0 elsewhere -->

# %% [markdown] lang="zh"
# ## 让卷积核学会看边缘
#
# 图像 $X$ 是白的（1），中间有一条黑带（0）。一格与右邻不同的地方就是边缘，用卷积核 $(1, -1)$ 就能找到：由白到黑得 1，
# 由黑到白得 -1，其余是 0。
#
# <!-- picture: 图像 X 是白的，中间四列是黑带；与 (1, -1) 做互相关得到 Y，黑带开始的那一列是 1，结束的那一列是 -1，其
# 余是 0 -->

# %%
X = jnp.ones((6, 8)).at[:, 2:6].set(0.0)
Y = jc.corr2d(X, jnp.array([[1.0, -1.0]]))

picture, axes = drawing.canvas(7.2, 17)
drawing.feature_map(axes, X, (1, 0), title="X", shade=False)
axes.fill_between((2, 6), 1, 7, color=drawing.INK, alpha=0.3, linewidth=0, zorder=0)
drawing.window(axes, (1, 1), (1, 2))
drawing.arrow(axes, (4, 8.3), (4, 9.2))
drawing.feature_map(axes, Y, (1, 9.5), title="Y")
drawing.window(axes, (1, 10.5), (1, 1), colour=drawing.GREEN)
picture

# %% [markdown] lang="en"
# Now forget the kernel, keep $X$ and $Y$, and let gradient descent find it again. The loss is the summed square of
# what is missing, its cotangent $C = 2\,(\mathrm{corr}(X, K) - Y)$, and the kernel's gradient is
# $\mathrm{corr}(X, C)$:

# %% [markdown] lang="zh"
# 现在把卷积核忘掉，只留 $X$ 和 $Y$，让梯度下降把它找回来。损失取误差的平方和，
# 上游梯度就是 $C = 2\,(\mathrm{corr}(X, K) - Y)$，卷积核的梯度是 $\mathrm{corr}(X, C)$：


# %%
def squared_error(kernel):
    return jnp.sum((jc.corr2d(X, kernel) - Y) ** 2)


def descend(kernel, learning_rate, steps):
    """The kernels on the way, the first one included."""
    path = [kernel]
    for _ in range(steps):
        cotangent = 2 * (jc.corr2d(X, path[-1]) - Y)
        path.append(path[-1] - learning_rate * jc.corr2d(X, cotangent))
    return jnp.stack(path)


start = jnp.array([[0.2, 0.9]])
assert jnp.allclose(
    jax.grad(squared_error)(start),
    jc.corr2d(X, 2 * (jc.corr2d(X, start) - Y)),
    rtol=1e-5,
)
path = descend(start, 0.03, 30)
for step in (0, 1, 2, 3, 5, 10, 20, 30):
    print(
        f"step {step:2}: kernel {path[step, 0]}, loss {squared_error(path[step]):.6f}"
    )
assert jnp.allclose(path[-1], jnp.array([1.0, -1.0]), atol=0.01)

# %% [markdown] lang="en"
# It works, but look at the first rows: the two weights don't walk straight to their goal, they jump to and fro. This
# kernel has only two numbers, so the whole landscape fits into a picture. Each curve joins kernels of equal loss.
#
# <!-- picture: The path of the two weights over curves of equal loss, at three learning rates: at 0.01 it bends into
# the valley and along it, at 0.03 it zigzags into it, at 0.035 the zigzag grows out of it -->

# %% [markdown] lang="zh"
# 学会了。不过看看前几行：两个权重不是一路走向目标，而是来回跳。这个卷积核总共只有两个数，整个地形正好画得下。
# 每条曲线上的损失相等。
#
# <!-- picture: 两个权重在等损失曲线上走过的路径，三种学习率：0.01 时弯进谷底再沿谷底走，0.03 时来回跳着收拢，0.035 时
# 越跳越远 -->

# %% tags=["hide-input"]
w1, w2 = jnp.meshgrid(jnp.linspace(-1.1, 2.2, 45), jnp.linspace(-2.2, 1.6, 45))
losses = jax.jit(jax.vmap(squared_error))(
    jnp.stack([w1.ravel(), w2.ravel()], -1)[:, None]
).reshape(w1.shape)
picture, panels = drawing.plots(1, 3, width=8.5, height=3.3)
for axes, rate in zip(panels, (0.01, 0.03, 0.035), strict=True):
    points = descend(start, rate, 12)[:, 0]
    axes.contour(
        w1,
        w2,
        losses,
        levels=np.geomspace(0.3, 600, 10),
        colors=drawing.PALE,
        linewidths=0.6,
    )
    axes.plot(*points.T, "o-", color=drawing.BLUE, markersize=3, linewidth=1)
    axes.plot(1, -1, "*", color=drawing.ORANGE, markersize=11)
    axes.set(
        title=f"learning rate {rate}",
        xlim=(-1.1, 2.2),
        ylim=(-2.2, 1.6),
        xlabel="K₀",
        aspect="equal",
    )
    axes.set_ylabel("K₁")
picture

# %% [markdown] lang="en"
# The landscape is a valley. Along its floor, where $K_0$ grows as $K_1$ falls, it is gentle; across it, where both
# grow together, it is steep: all the white windows notice that at once. How steep is the *curvature*, and the
# eigenvalues of the matrix of second derivatives measure it:

# %% [markdown] lang="zh"
# 地形是一条山谷。沿着谷底走，$K_0$ 增而 $K_1$ 减，坡很缓；横着走，两个权重一起增大，坡很陡，
# 因为所有全白的窗口都会同时察觉。陡的程度叫*曲率*，由二阶导数矩阵（Hessian 矩阵）的特征值来衡量：

# %%
hessian = jax.jit(jax.hessian(squared_error))(start).reshape(2, 2)
curvatures, directions = jnp.linalg.eigh(hessian)
assert jnp.allclose(curvatures, jnp.array([12.0, 60.0]), rtol=1e-4)
for curvature, direction in zip(curvatures, directions.T, strict=True):
    factors = ", ".join(
        f"{1 - rate * curvature:+.2f} at {rate}" for rate in (0.01, 0.03, 0.035)
    )
    print(
        f"along {direction}: curvature {curvature:.0f}, a step multiplies the distance by {factors}"
    )

# %% [markdown] lang="en"
# In a direction of curvature $\lambda$ the gradient is $\lambda$ times the distance to the bottom, so one step of
# descent multiplies that distance by $1 - \eta\lambda$, where $\eta$ is the learning rate. At $\eta = 0.03$ the steep
# direction gets the factor -0.8: each step overshoots to the other wall, but lands lower. At 0.035 it gets -1.1: each
# step overshoots to a higher place. The border is where the factor is -1:
#
# $$\eta = \frac{2}{\lambda_{\max}} = \frac{2}{60} \approx 0.033.$$
#
# Keep this one inequality, $\eta < 2/\lambda_{\max}$. It is all that is needed to understand what LeNet does in the
# next lesson.

# %% [markdown] lang="zh"
# 在曲率为 $\lambda$ 的方向上，梯度等于 $\lambda$ 乘以到谷底的距离，所以每走一步，这个距离就乘上 $1 - \eta\lambda$，
# 其中 $\eta$ 是学习率。$\eta = 0.03$ 时，陡的方向上这个因子是 -0.8：每一步都冲过头，落到对面坡上，但比原来低。
# 到了 0.035，因子是 -1.1：每次都冲到更高的地方去。分界线就在因子等于 -1 的地方：
#
# $$\eta = \frac{2}{\lambda_{\max}} = \frac{2}{60} \approx 0.033.$$
#
# 请记住这个不等式：$\eta < 2/\lambda_{\max}$。下一课里 LeNet 的种种表现，靠它就能看懂。


# %%
def distance(rate):
    return jnp.linalg.norm(descend(start, rate, 30)[-1] - jnp.array([[1.0, -1.0]]))


assert distance(0.033) < distance(0.0) < distance(0.034)

# %% [markdown] lang="en"
# ## Exercises
#
# 1. Take away the band: let $X$ be all ones and $Y$ all zeros. Where does descent lead from $(0.2, 0.9)$? Is it the
#    edge kernel?
# 2. Add a bias to the correlation. What is its gradient, in terms of $C$?
# 3. Let $Y$ be made by `jc.convolve` with $(1, -1)$, but learn with `jc.corr2d`. What is learnt? What does that say
#    about the name "convolutional network"?

# %% [markdown] lang="zh"
# ## 练习
#
# 1. 去掉黑带：让 $X$ 全是 1，$Y$ 全是 0。从 $(0.2, 0.9)$ 出发，梯度下降会走到哪里？得到的是边缘核吗？
# 2. 给互相关加上一个偏置。它的梯度怎么用 $C$ 表示？
# 3. 用 `jc.convolve` 和 $(1, -1)$ 造出 $Y$，却用 `jc.corr2d` 去学。学到的是什么？这对“卷积神经网络”
#    这个名字说明了什么？

# %% [markdown] lang="en"
# ### Answers
#
# 1. To $(-0.35, 0.35)$: the two weights move together until their sum is 0, and their difference never changes, since
#    no window ever told them apart. The valley's floor is quite flat: its curvature is 0. Data without edges can't
#    teach edges.

# %% [markdown] lang="zh"
# ### 答案
#
# 1. 走到 $(-0.35, 0.35)$：两个权重一起动，直到和为 0；它们的差始终不变，因为没有一个窗口分得清它们。谷底是完全平的，
#    曲率为 0。没有边缘的数据，教不会边缘。

# %%
flat = jnp.ones((6, 8))
kernel = start
for _ in range(30):
    kernel -= 0.01 * jax.grad(lambda k: jnp.sum(jc.corr2d(flat, k) ** 2))(kernel)
assert jnp.allclose(kernel, jnp.array([[-0.35, 0.35]]), atol=1e-4)
kernel

# %% [markdown] lang="en"
# 2. The bias is added to every cell, so every cell's cotangent reaches it: its gradient is the sum of $C$.

# %% [markdown] lang="zh"
# 2. 偏置加到每一格上，所以每一格的上游梯度都会传给它：它的梯度就是 $C$ 的总和。

# %%
bias_gradient = jax.grad(lambda bias: jnp.sum(c * (jc.corr2d(x, k) + bias)))(0.0)
assert bias_gradient == c.sum() == 3

# %% [markdown] lang="en"
# 3. The flipped kernel, $(-1, 1)$. A network that learns its kernels learns them in the orientation in which they are
#    used; whether one calls the layer correlation or convolution makes no difference to what it can do.

# %% [markdown] lang="zh"
# 3. 学到的是翻转了的核 $(-1, 1)$。卷积核既然是学出来的，怎么用它，就会学成什么方向；这一层叫互相关还是叫卷积，
#    对它的本事毫无影响。

# %%
Y = jc.convolve(X, jnp.array([[1.0, -1.0]]))
assert jnp.allclose(descend(start, 0.03, 50)[-1], jnp.array([-1.0, 1.0]), atol=1e-3)
