# %% [markdown] lang="en" minutes=20 needs=""
# # 1. One window
#
# A convolutional layer repeats one small act: lay a window on the map, multiply what it shows by the kernel, cell by
# cell, and add the products up. This lesson does it by hand, then with loops, then without them. At the end it owes an
# explanation: the act is called convolution everywhere, and it is not one.
#
# The eight lessons start from a Chinese article, 《卷积神经网络(一)》, which builds a CNN from nothing in PyTorch and
# nested loops. From here on it is **the starting text**; what each of its functions became is on [a page of its
# own](../starting_text.md).

# %% [markdown] lang="zh" minutes=20 needs=""
# # 1. 一个窗口
#
# 卷积层从头到尾只做一件小事：把窗口盖在特征图上，窗口里的数与卷积核逐格相乘，再把乘积加起来。这一课先用手算一遍，再写
# 成循环，最后把循环去掉。课末还要交代一件事：人人都管它叫“卷积”，可它其实不是卷积。
#
# 本站的八课从一篇中文文章出发：《卷积神经网络(一)》，它用 PyTorch 和层层循环从零写出一个卷积神经网络。下文一律称它
# 为**原文**；原文的每个函数在这里对应什么，见[原文对照](../starting_text.md)。

# %%
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import drawing
import jaxcnn as jc

x = jnp.arange(9.0).reshape(3, 3)
k = jnp.array([[0.0, 1.0], [2.0, 3.0]])

# %% [markdown] lang="en"
# ## By hand
#
# The map $X$ holds 0 to 8, the kernel $K$ holds 0 to 3. Laid on the upper left corner, the window shows 0, 1, 3, 4, and
#
# $$0\cdot0 + 1\cdot1 + 3\cdot2 + 4\cdot3 = 19.$$
#
# One step to the right it shows 1, 2, 4, 5. A 2 x 2 window fits on a 3 x 3 map in two places across and two down, so
# there are four such sums:
#
# <!-- picture: The four places of the window on X, one below the other; in each, the cells seen times the kernel K give
# four products, whose sum is written into Y: 19, 25, 37, 43 -->

# %% [markdown] lang="zh"
# ## 先用手算
#
# 特征图 $X$ 里放着 0 到 8，卷积核 $K$ 里放着 0 到 3。窗口盖住左上角，看到的是 0、1、3、4，于是
#
# $$0\cdot0 + 1\cdot1 + 3\cdot2 + 4\cdot3 = 19.$$
#
# 右移一格，看到的是 1、2、4、5。2×2 的窗口在 3×3 的图上横竖各有两个位置，所以总共得到四个和：
#
# <!-- picture: 特征图 X 上窗口的四个位置，从左上到右下；每一行里，窗口所见与卷积核 K 逐格相乘，四个乘积之和填入输出
# Y，依次为 19、25、37、43 -->

# %% tags=["hide-input"]
y = jc.corr2d(x, k)
picture, axes = drawing.canvas(16.6, 17.6)
for n, (i, j) in enumerate(np.ndindex(y.shape)):
    row, seen = 4.1 * n, jc.windows(x, k.shape)[i, j]
    drawing.feature_map(axes, x, (row + 1, 0), title="X" if n == 0 else "")
    drawing.window(axes, (row + 1 + i, j), k.shape)
    drawing.note(axes, (row + 2.5, 3.6), "⊙", size=14)
    drawing.feature_map(
        axes, k, (row + 1.5, 4.2), title="K" if n == 0 else "", shade=False
    )
    drawing.note(axes, (row + 2.5, 6.7), "=")
    drawing.feature_map(
        axes,
        seen * k,
        (row + 1.5, 7.2),
        title="products" if n == 0 else "",
        shade=False,
    )
    drawing.arrow(axes, (row + 2.5, 9.5), (row + 2.5, 10.7))
    drawing.note(axes, (row + 2.1, 10.1), "sum", size=8)
    known = np.where(
        np.arange(4).reshape(2, 2) <= n,
        [[f"{v:g}" for v in line] for line in y],
        "",
    )
    drawing.feature_map(axes, known, (row + 1.5, 11), title="Y" if n == 0 else "")
    drawing.window(axes, (row + 1.5 + i, 11 + j), (1, 1), colour=drawing.GREEN)
    terms = " + ".join(
        f"{a:g}·{b:g}" for a, b in zip(seen.ravel(), k.ravel(), strict=True)
    )
    drawing.note(
        axes, (row + 2.5, 13.4), f"{terms} = {y[i, j]:g}", align="left", size=8
    )
picture

# %% [markdown] lang="en"
# Do it yourself: walk over $Y$ with the arrow keys, or drag the window, and change any number of $X$ and $K$.
#
# <div class="playground" data-map="0 1 2 / 3 4 5 / 6 7 8" data-kernel="0 1 / 2 3" data-show="size window"></div>

# %% [markdown] lang="zh"
# 自己动手：用方向键在 $Y$ 上走，或者拖动窗口；$X$ 和 $K$ 里的数都可以改。
#
# <div class="playground" data-map="0 1 2 / 3 4 5 / 6 7 8" data-kernel="0 1 / 2 3" data-show="size window"></div>

# %% [markdown] lang="en"
# As a formula, with $h \times w$ the shape of the kernel:
#
# $$Y_{ij} = \sum_{a=0}^{h-1}\sum_{b=0}^{w-1} X_{i+a,\,j+b}\;K_{ab}$$
#
# $(i, j)$ says where the window lies, $(a, b)$ which cell of the window is meant. Keep the two apart: the outer pair
# counts outputs, the inner pair is summed away.

# %% [markdown] lang="zh"
# 写成公式，设卷积核的形状为 $h \times w$：
#
# $$Y_{ij} = \sum_{a=0}^{h-1}\sum_{b=0}^{w-1} X_{i+a,\,j+b}\;K_{ab}$$
#
# $(i, j)$ 是窗口的位置，$(a, b)$ 是窗口内的位置。这两对下标要分清：前一对给输出编号，后一对在求和中消去。

# %% [markdown] lang="en"
# ## In loops
#
# This is `corr2d` of the starting text. The loops run over $(i, j)$; the sum over $(a, b)$ hides in `.sum()`.

# %% [markdown] lang="zh"
# ## 写成循环
#
# 这就是原文里的 `corr2d`：对 $(i, j)$ 循环，对 $(a, b)$ 的求和交给 `.sum()`。


# %%
def corr2d_in_loops(data, kernel):
    (height, width), (h, w) = data.shape, kernel.shape
    result = np.zeros((height - h + 1, width - w + 1), np.float32)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = (data[i : i + h, j : j + w] * kernel).sum()
    return result


corr2d_in_loops(np.asarray(x), np.asarray(k))

# %% [markdown] lang="en"
# ## Without loops
#
# The body of the loop is a function of one position. In JAX a slice whose place is a variable is `lax.dynamic_slice`:
# a start that may vary, a size that may not.

# %% [markdown] lang="zh"
# ## 去掉循环
#
# 循环体是位置的函数：给定一个位置，算出一个数。在 JAX 里，起点可变的切片写作 `lax.dynamic_slice`，起点可以是变量，大
# 小必须是常数。


# %%
def at(i, j):
    window = lax.dynamic_slice(x, (i, j), k.shape)
    return jnp.sum(window * k)


at(0, 0), at(1, 1)

# %% [markdown] lang="en"
# `at` knows nothing of loops or of other positions. `jax.vmap` turns a function of one number into a function of an
# array of numbers: once for the columns $j$, once for the rows $i$. No iteration is left in the code, and nothing says
# in which order the four windows are taken; that is for the compiler to decide.

# %% [markdown] lang="zh"
# `at` 只管一个位置，不知道有循环，也不知道有别的位置。`jax.vmap` 把“自变量是一个数”的函数变成“自变量是一组数”的函数：
# 先对列号 $j$ 用一次，再对行号 $i$ 用一次。代码里不再有循环，四个窗口谁先算、谁后算也没有规定，那是编译器的事。

# %%
along_a_row = jax.vmap(at, in_axes=(None, 0))  # one i, many j
everywhere = jax.vmap(along_a_row, in_axes=(0, None))  # many i, many j
everywhere(jnp.arange(2), jnp.arange(2))

# %% [markdown] lang="en"
# That is the definition on which jaxcnn stands; `method="definition"` still computes it so. All other methods are
# faster and are tested against it.
#
# A second way to say it: first gather *all* windows into one array, then contract. `jc.windows` gives shape
# `(2, 2, 2, 2)`: which window, then which cell of it, the $(i, j)$ and $(a, b)$ of the formula. The `einsum` string is
# the formula, letter by letter.

# %% [markdown] lang="zh"
# jaxcnn 就建立在这个定义之上：`method="definition"` 至今按它计算，其余算法都更快，并且都以它为准绳接受检验。
#
# 还可以换一种写法：先把*所有*窗口收进一个数组，再做缩并。`jc.windows` 返回的形状是 `(2, 2, 2, 2)`，前两轴说是哪个窗
# 口，后两轴说是窗口里的哪一格，也就是公式里的 $(i, j)$ 和 $(a, b)$。`einsum` 的下标串与公式逐个字母对应。

# %%
windows = jc.windows(x, (2, 2))
by_windows = jnp.einsum("ijab,ab->ij", windows, k)
for ours in (by_windows, jc.corr2d(x, k), jc.corr2d(x, k, method="definition")):
    assert ours.tolist() == [[19, 25], [37, 43]]
windows.shape, by_windows

# %% [markdown] lang="en"
# ## Why it is not convolution
#
# Convolution comes from multiplying polynomials. In $(1 + 2t + 3t^2)(t + \tfrac12 t^2)$ the coefficient of $t^n$
# gathers all pairs of powers that *add up* to $n$:
#
# $$(x * k)_n = \sum_a x_{n-a}\,k_a$$
#
# Note the minus. While $k$ is read forwards, $x$ is read backwards. Our sum has a plus: both run forwards. To turn one
# into the other, flip the kernel. `jc.convolve` is `jc.correlate` with the kernel flipped on every axis, and nothing
# else; NumPy and SciPy agree.

# %% [markdown] lang="zh"
# ## 为什么它不是卷积
#
# 卷积来自多项式乘法。在 $(1 + 2t + 3t^2)(t + \tfrac12 t^2)$ 的展开式里，$t^n$ 的系数要把所有次数*相加*等于 $n$ 的项凑
# 到一起：
#
# $$(x * k)_n = \sum_a x_{n-a}\,k_a$$
#
# 请看那个减号：$k$ 顺着读，$x$ 就倒着读。我们的求和里却是加号，两边都顺着读，这种运算叫**互相关**。把卷积核翻转过来，
# 一种就成了另一种：`jc.convolve` 就是先沿每个轴翻转卷积核，再做 `jc.correlate`，除此之外没有别的。NumPy 和 SciPy 也是
# 这样规定的。

# %%
from scipy import signal

p, q = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 0.5])
for name, theirs, ours in (
    (
        "polynomials multiplied",
        np.convolve(p, q),
        jc.convolve(p, q, padding="FULL"),
    ),
    ("correlation", np.correlate(p, q, "full"), jc.correlate(p, q, padding="FULL")),
    ("convolution on X", signal.convolve2d(x, k, mode="valid"), jc.convolve(x, k)),
):
    print(name, ours, sep="\n")
    assert np.array_equal(theirs, ours)
assert jnp.array_equal(jc.convolve(x, k), jc.correlate(x, k[::-1, ::-1]))

# %% [markdown] lang="en"
# The difference shows best on a map that is zero but for a single 1. Convolution answers with the kernel itself: this
# is why signal processing calls a kernel the *impulse response*. Correlation answers with the kernel upside down, since
# the window meets the 1 first with its last cell.
#
# <!-- picture: A map X with a single 1 in its middle and a kernel K of the numbers 1 to 9; correlation puts 9 down to 1
# around the middle, convolution 1 up to 9 -->

# %% [markdown] lang="zh"
# 拿一张只有一个 1、其余全是 0 的图去试，区别一目了然。卷积的结果就是卷积核本身，所以信号处理里把卷积核叫
# 作*冲激响应*；互相关的结果则是颠倒的卷积核，因为窗口扫过来时，最先碰到那个 1 的是它的最后一格。
#
# <!-- picture: 中央有一个 1 的特征图 X，3×3 的卷积核 K 里是 1 到 9；互相关的结果中间是 9 到 1，次序颠倒，卷积的结果中
# 间是 1 到 9 -->

# %% tags=["hide-input"]
impulse = jnp.zeros((5, 5)).at[2, 2].set(1)
nine = jnp.arange(1.0, 10).reshape(3, 3)
picture, axes = drawing.canvas(6, 24)
for column, (title, shown) in {
    0: ("X", impulse),
    6.5: ("K", nine),
    12: ("correlate(X, K)", jc.correlate(impulse, nine, padding=1)),
    18.5: ("convolve(X, K)", jc.convolve(impulse, nine, padding=1)),
}.items():
    drawing.feature_map(
        axes, shown, (1 + (5 - len(shown)) / 2, column), title=title
    )
picture

# %% [markdown] lang="en"
# ## What the flip buys, and why networks do without it
#
# With the flip, $*$ behaves like multiplication: $a * b = b * a$, and $(a * b) * c = a * (b * c)$. Without it both laws
# are lost. Swapping the two turns the result round; and two correlations in a row are one correlation with the
# *convolution* of the kernels: $(a \star b) \star c = a \star (b * c)$.

# %% [markdown] lang="zh"
# ## 翻转有什么好处，神经网络为什么不需要它
#
# 有了翻转，$*$ 就满足乘法的运算律：$a * b = b * a$，$(a * b) * c = a * (b * c)$。没有翻转，交换律和结合律都不成立。交
# 换两个因子，结果会前后颠倒；接连做两次互相关，等于与两个核的*卷积*做一次互相关：
# $(a \star b) \star c = a \star (b * c)$。


# %%
def convolved(a, b):
    return jc.convolve(a, b, padding="FULL")


def correlated(a, b):
    return jc.correlate(a, b, padding="FULL")


a, b, c = p, q, jnp.array([2.0, -1.0])
print("a * b        ", convolved(a, b))
print("b * a        ", convolved(b, a))
print("a ⋆ b        ", correlated(a, b))
print("b ⋆ a        ", correlated(b, a), " turned round")
print("(a * b) * c  ", convolved(convolved(a, b), c))
print("a * (b * c)  ", convolved(a, convolved(b, c)))
print("(a ⋆ b) ⋆ c  ", correlated(correlated(a, b), c))
print("a ⋆ (b ⋆ c)  ", correlated(a, correlated(b, c)), " something else")
print("a ⋆ (b * c)  ", correlated(a, convolved(b, c)))
assert jnp.array_equal(convolved(a, b), convolved(b, a))
assert jnp.array_equal(correlated(a, b), correlated(b, a)[::-1])
assert jnp.allclose(correlated(correlated(a, b), c), correlated(a, convolved(b, c)))
assert not jnp.allclose(
    correlated(correlated(a, b), c), correlated(a, correlated(b, c))
)

# %% [markdown] lang="en"
# A network needs neither law: between two layers stands an activation, which breaks any such algebra. And its kernels
# are *learned*. Should the task call for a certain kernel, training with correlation finds it, and training with
# convolution finds the same numbers in reversed order. Here both learn from the same data by plain gradient descent:

# %% [markdown] lang="zh"
# 这两条运算律，神经网络都用不上：两层之间隔着激活函数，代数到那里就断了。何况卷积核是*学*出来的。如果任务需要某个核，
# 用互相关训练会学到它，用卷积训练会学到次序颠倒的同一个核。下面让两者从同样的数据出发，都做最朴素的梯度下降：


# %%
def learn(op, data, target, steps=300, rate=0.5):
    gradient = jax.grad(lambda k: jnp.mean((op(data, k) - target) ** 2))
    step = lambda _, k: k - rate * gradient(k)
    return lax.fori_loop(0, steps, step, jnp.zeros((2, 2)))


data = jax.random.normal(jax.random.key(0), (16, 16))
target = jc.correlate(data, k)
by_correlation = learn(jc.correlate, data, target)
by_convolution = learn(jc.convolve, data, target)
assert jnp.allclose(by_correlation, k, atol=1e-3)
assert jnp.allclose(by_convolution, k[::-1, ::-1], atol=1e-3)
print(np.round(by_correlation, 3), np.round(by_convolution, 3), sep="\n\n")

# %% [markdown] lang="en"
# So the field says convolution, writes correlation, and loses nothing. Remember the flip in two places only: when you
# carry kernels over from a program that does flip, and in lesson 5, where it comes back by itself in the gradient.
#
# ## Exercises
#
# 1. Which 2 x 2 kernel makes $Y$ the map $X$ moved one cell up and one to the left?
# 2. Which pooling is correlation with a kernel of four quarters?
# 3. Find a 2 x 2 kernel, not all equal, for which correlation and convolution agree.
# 4. How many multiplications does an $H \times W$ map with an $h \times w$ kernel take? And LeNet's first layer: six
#    5 x 5 kernels that give six 28 x 28 maps?
# 5. Correlate a row that is 1 except for a dark stretch of zeros with $[1, -1]$. What does it find?
#
# ## Answers

# %% [markdown] lang="zh"
# 所以大家嘴上说卷积，写的是互相关，什么也不损失。只有两处要想起翻转：一是从真正做翻转的程序里搬卷积核，二是第 5 课，
# 翻转会自己从梯度里冒出来。
#
# ## 练习
#
# 1. 哪个 2×2 的核能让 $Y$ 等于向上、向左各移一格的 $X$？
# 2. 哪种汇聚就是与四个 1/4 组成的核做互相关？
# 3. 找一个元素不全相等的 2×2 核，使互相关与卷积的结果相同。
# 4. $H \times W$ 的图与 $h \times w$ 的核做互相关，需要多少次乘法？LeNet 的第一层用六个 5×5 的核得到六张 28×28 的图，
#    又需要多少次？
# 5. 一行数里全是 1，只有中间一段是 0（暗的）。它与 $[1, -1]$ 做互相关，找到的是什么？
#
# ## 答案

# %% [markdown] lang="en"
# 1: all weight on the last cell of the window, which lies one down and one to the right of the place it writes to.

# %% [markdown] lang="zh"
# 第 1 题：权重全部放在窗口的最后一格，因为它正好位于写入位置的右下方。

# %%
moved = jc.corr2d(x, jnp.array([[0.0, 0.0], [0.0, 1.0]]))
assert jnp.array_equal(moved, x[1:, 1:])
moved

# %% [markdown] lang="en"
# 2: mean pooling at stride 1. Mean pooling is a correlation; max pooling is not, for it is not linear.

# %% [markdown] lang="zh"
# 第 2 题：步幅为 1 的平均汇聚。平均汇聚是互相关；最大汇聚不是，因为它不是线性的。

# %%
quarters = jnp.full((2, 2), 0.25)
assert jnp.array_equal(jc.corr2d(x, quarters), jc.pool2d(x, 2, "mean", stride=1))
jc.corr2d(x, quarters)

# %% [markdown] lang="en"
# 3: any kernel that a half turn leaves as it is.

# %% [markdown] lang="zh"
# 第 3 题：旋转 180° 不变的核都可以。

# %%
symmetric = jnp.array([[1.0, 2.0], [2.0, 1.0]])
assert jnp.array_equal(jc.correlate(x, symmetric), jc.convolve(x, symmetric))

# %% [markdown] lang="en"
# 4: $(H-h+1)(W-w+1)\,h\,w$: each output cell costs one product for each cell of the window.

# %% [markdown] lang="zh"
# 第 4 题：$(H-h+1)(W-w+1)\,h\,w$ 次，因为输出的每一格都要把窗口里的每一格乘一遍。

# %%
print("3 x 3 with 2 x 2:   ", 2 * 2 * 2 * 2)
print("LeNet's first layer:", 6 * 28 * 28 * 5 * 5)

# %% [markdown] lang="en"
# 5: the edges: $+1$ where it turns dark, $-1$ where it turns light, 0 where nothing changes. Lesson 5 learns this
# kernel from examples.

# %% [markdown] lang="zh"
# 第 5 题：边缘。由亮变暗处得 $+1$，由暗变亮处得 $-1$，没有变化处得 0。第 5 课会从样例中把这个核学出来。

# %%
dark = jnp.array([1.0, 1, 0, 0, 0, 0, 1, 1])
edges = jc.corr1d(dark, jnp.array([1.0, -1.0]))
assert edges.tolist() == [0, 1, 0, 0, 0, -1, 0]
edges
