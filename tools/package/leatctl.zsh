#compdef leatctl
# SPDX-License-Identifier: BSD-2-Clause
# zsh: leatctl says itself what may come next (tools/leatcomplete.py).
local -a found
found=("${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
if [[ ${found[1]} == @files ]]; then
    _files
else
    compadd -- "${found[@]}"
fi
