"""The words in pictures, in Chinese: a picture is drawn once, and its labels are replaced in its SVG."""

import re

WORDS = {
    "along the hop": "沿跳跃方向",
    "column": "列",
    "cross-entropy": "交叉熵",
    "eight steps at rate 0.03": "学习率 0.03 的八步",
    "forward": "前向",
    "gradient": "梯度",
    'gradient of "max"': "max 的梯度",
    'gradient of "mean"': "mean 的梯度",
    "image": "图像",
    "indices": "编号",
    "indices of the winners": "赢家的编号",
    "input channel": "输入通道",
    "learning rate of the one step": "这一步的学习率",
    "loss": "损失",
    "loss - H": "损失 - H",
    "loss - H = sum of KL": "损失 - H = KL 之和",
    "loss - its mean here": "损失 - 这一段的平均",
    "loss per sample": "每个样本的损失",
    "map": "图",
    "map (5, 5), padding 1": "图 (5, 5)，填充 1",
    "map and its padding": "图及其填充",
    "max": "最大",
    "mean": "平均",
    "median": "中位数",
    "milliseconds (log scale)": "毫秒（对数坐标）",
    "noisy": "带坏点",
    "output: their sum": "输出：它们的和",
    "paths": "路径条数",
    "paths from each pixel to pool2[0, 2, 2]": "各像素到 pool2[0, 2, 2] 的路径条数",
    "products": "乘积",
    "seen by so many windows": "被几个窗口看到",
    "step": "步",
    "steps from there": "从那里起的步数",
    "sum": "求和",
    "the middle: 3 + 0": "3 + 0",
    "they overlap in": "正中间重叠：",
    "the same, along row 14": "沿第 14 行",
    "this one": "本课的层",
    "values": "值",
    "1 loops": "1 循环",
    "2 definition, op by op": "2 定义，逐条执行",
    "3 definition, compiled": "3 定义，编译后",
    "depthwise 3x3": "逐通道 3×3",
    "depthwise 21x21": "逐通道 21×21",
    "256 channels 3x3": "256 个通道 3×3",
    "3 x 3 window, dilation 2": "3×3 的窗口，空洞率 2",
}
PATTERNS = {
    r"(\d+) samples": r"\1 个样本",
    r"(\d) · K at (.*)": r"\1 · K 放在 \2",
    r"([A-Z]+): (\d+) windows": r"\1：\2 个窗口",
    r"(\(\d, \d\)): (\d+) windows of (\d)": r"\1：\2 个宽 \3 的窗口",
    r"and back: (.*)": r"返回：\1",
    r"(conv_transpose.*): (\d) cells": r"\1：\2 格",
    r"cell (\d) lays down": r"第 \1 格铺下",
    r"filter (\d)": r"卷积核 \1",
    r"groups=(\d): (\d+) slices": r"groups=\1：\2 片核",
    r"learning rate ([\d.]+)": r"学习率 \1",
    r"rate ([\d.]+)": r"学习率 \1",
    r"rate ([\d.]+) x border": r"学习率为分界线的 \1 倍",
    r"occlusion: loses up to (.*)": r"遮挡：最多损失 \1",
    r"size (\d), padding (\d), window (\d), stride (\d)": r"尺寸 \1，填充 \2，窗口 \3，步幅 \4",
    r"starts at (\d)": r"起点 \1",
    r"sums, stride 2: (.*)": r"步幅 2 的和：\1",
    r"window (\d)": r"窗口 \1",
    r"a (\d), p = (.*)": r"数字 \1，p = \2",
}
# Code, names of modes and methods, and what has no word in it.
KEPT = re.compile(
    r"[^A-Za-z]*|.*[A-Za-z].*\(.*\).*|padding=.*|q = .*|KL.*|H.*|C = dL/dY|dL/d."  # calls and formulas
    r'|"?[A-Z_]+"?|"[a-z]+"|(conv|pool)\d, \d+|max_unpool|(\d )?(windows|rows|auto)|fft|xla|shifts'  # names
    r"|.{0,2}[A-Z](\[.*\])?|[a-z](\[.*\])?|[Kp][\u2080\u2081]|p.?"  # letters
)


class LabelError(Exception):
    """A label without its Chinese."""


def translated(svg: str, language: str) -> str:
    """The picture with its words in that language.

    Raises:
      LabelError: a word that is neither in this file's tables nor code.

    >>> translated('<text x="1">input channel</text>', "zh")
    '<text x="1">输入通道</text>'
    """
    if language == "en":
        return svg
    return re.sub(r">([^<>]+)</text>", lambda found: f">{_in_chinese(found[1])}</text>", svg)


def _in_chinese(label: str) -> str:
    if label in WORDS:
        return WORDS[label]
    for pattern, words in PATTERNS.items():
        if re.fullmatch(pattern, label):
            return re.sub(pattern, words, label)
    if not KEPT.fullmatch(label):
        raise LabelError(f"a picture says {label!r}, which docs/extensions/picture_labels.py has no Chinese for")
    return label
