# bash asks kade2kfp itself what may come next: `kade2kfp completion --help` says where this file goes.
_kade2kfp_completion() {
    local kind value found current=${COMP_WORDS[COMP_CWORD]}
    [[ $current == [=:] ]] && current=
    COMPREPLY=()
    while IFS=$'\t' read -r kind value _; do
        case $kind in
        word) COMPREPLY+=("$value") ;;
        part)
            COMPREPLY+=("$value")
            compopt -o nospace
            ;;
        file) compopt -o default ;; # readline's own, which knows all quoting
        folder | document)
            compopt -o filenames
            current=${current#"$value"}
            while IFS= read -r found; do
                COMPREPLY+=("$value$found")
            done < <(
                compgen -d -- "$current"
                [[ $kind == document ]] && compgen -f -X '!*.json' -- "$current"
            )
            # What is quoted fits nothing as it is written: readline finds it.
            [[ ${#COMPREPLY[@]} == 0 && $current == *[\\\"\']* ]] && compopt -o default
            ;;
        esac
    done < <(env _KADE2KFP_COMPLETE=bash _KADE2KFP_LINE="${COMP_LINE:0:COMP_POINT}" \
        _KADE2KFP_BREAKS="$COMP_WORDBREAKS" kade2kfp 2>/dev/null)
    return 0
}
complete -o nosort -F _kade2kfp_completion kade2kfp 2>/dev/null || complete -F _kade2kfp_completion kade2kfp
