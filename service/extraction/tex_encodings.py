"""TeX's font encodings: which character each code of a symbol font stands for.

OMS (Computer Modern symbols), OML (math italic), OMX (extension), the AMS symbol
fonts A and B, and the first codes of the text encodings OT1 and T1. A blank
stands where no character explains the code. Tables begin at code 0 and have
16 codes a row. A long text of pieces that make one large bracket stays as pieces.
"""

OMS = (
    "−·×∗÷⋄±∓⊕⊖⊗⊘⊙◯◦•"
    "≍≡⊆⊇≤≥⪯⪰∼≈⊂⊃≪≫≺≻"
    "←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝"
    "′∞∈∋△▽\u0338↦∀∃¬∅ℜℑ⊤⊥"
    "ℵABCDEFGHIJKLMNO"
    "PQRSTUVWXYZ∪∩⊎∧∨"
    "⊢⊣⌊⌋⌈⌉{}⟨⟩|∥↕⇕\\≀"
    "√⨿∇∫⊔⊓⊑⊒§†‡¶♣♢♡♠"
)
OML = (
    "ΓΔΘΛΞΠΣΥΦΨΩαβγδϵ"
    "ζηθικλμνξπρστυϕχ"
    "ψωεϑϖϱςφ↼↽⇀⇁  ▷◁"
    "0123456789.,</>⋆"
    "∂ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZ♭♮♯⌣⌢"
    "ℓabcdefghijklmno"
    "pqrstuvwxyzıȷ℘\u20d7 "
)
OMX = (
    "()[]⌊⌋⌈⌉{}⟨⟩|∥/\\"
    "()()[]⌊⌋⌈⌉{}⟨⟩/\\"
    "()[]⌊⌋⌈⌉{}⟨⟩/\\/\\"
    "⎛⎞⎡⎤⎣⎦⎢⎥⎧⎫⎩⎭⎨⎬⎪⏐"
    "⎝⎠⎜⎟⟨⟩⊔⊔∮∮⊙⊙⊕⊕⊗⊗"
    "∑∏∫⋃⋂⊎⋀⋁∑∏∫⋃⋂⊎⋀⋁"
    "∐∐\u0302\u0302\u0302\u0303\u0303\u0303[]⌊⌋⌈⌉{}"
    "√√√√√   ↑↓    ⇑⇓"
)
AMS_A = (
    "⊡⊞⊠□■·◊⧫↻↺⇌⇋⊟⊩⊪⊨"
    "↠↞⇇⇉⇈⇊↾⇂↿⇃↣↢⇆⇄↰↱"
    "⇝↭↫↬≗≿≳⪆⊸∴∵≑≜≾≲⪅"
    "⪕⪖⋞⋟≼≦⩽≶‵ ≓≒≽≧⩾≷"
    "⊏⊐▷◁⊵⊴★≬▼▶◀  △▲▽"
    "≖⋚⋛⪋⪌¥⇛⇚✓⊻⊼⩞∠∡∢∝"
    "⌣⌢⋐⋑⋓⋒⋏⋎⋋⋌⫅⫆≏≎⋘⋙"
    "⌜⌝®Ⓢ⋔∔∽⋍⌞⌟✠∁⊺⊚⊛⊝"
)
AMS_B = (
    "≨≩≰≱≮≯⊀⊁≨≩≰≱⪇⪈⋠⋡"
    "⋨⋩⋦⋧≰≱⪵⪶⪹⪺⪉⪊≁≇╱╲"
    "⊊⊋⊈⊉⫋⫌⫋⫌⊊⊋⊈⊉∦∤∤∦"
    "⊬⊮⊭⊯⋭⋬⋪⋫↚↛⇍⇏⇎↮⋇∅"
    "∄ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZ     "
    "Ⅎ⅁    ℧ð≂ℶℷℸ⋖⋗⋉⋊"
    "∣∥∖∼≈≊⪸⪷↶↷ϝϰkℏℏ϶"
)
OT1 = "ΓΔΘΛΞΠΣΥΦΨΩ\ufb00\ufb01\ufb02\ufb03\ufb04ıȷ`´ˇ˘¯˚¸ßæœøÆŒØ"
T1 = "`´ˆ˜¨˝˚ˇ˘¯˙¸˛‚‹›“”„«»–— ₀ıȷ\ufb00\ufb01\ufb02\ufb03\ufb04"
