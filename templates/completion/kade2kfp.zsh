#compdef kade2kfp
# zsh asks kade2kfp itself what may come next: `kade2kfp completion --help` says where this file goes.
_kade2kfp_completion() {
    local kind value help
    local -a words_ parts
    (( $+commands[kade2kfp] )) || return 1
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            (word) words_+=("${value//:/\\:}${help:+:$help}") ;;
            (part) parts+=("${value//:/\\:}${help:+:$help}") ;;
            (file) compset -p ${#value}; _path_files ;;
            (folder) compset -p ${#value}; _path_files -/ ;;
            (document) compset -p ${#value}; _path_files -g '*.json(-.) *(-/)' ;;
        esac
    done < <(env _KADE2KFP_COMPLETE=zsh _KADE2KFP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" kade2kfp 2>/dev/null)
    (( $#words_ )) && _describe -V kade2kfp words_
    (( $#parts )) && _describe -V kade2kfp parts -S ''
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _kade2kfp_completion "$@"
else
    compdef _kade2kfp_completion kade2kfp
fi
