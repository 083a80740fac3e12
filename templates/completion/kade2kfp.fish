# fish asks kade2kfp itself what may come next: `kade2kfp completion --help` says where this file goes.
function _kade2kfp_completion
    set -l line (commandline -cp | string collect)
    for row in (env _KADE2KFP_COMPLETE=fish _KADE2KFP_LINE="$line" kade2kfp 2>/dev/null)
        set -l cell (string split -m 2 \t -- $row)
        set -l token (commandline -ct | string collect)
        set -l path (string sub -s (math (string length -- "$cell[2]") + 1) -- "$token")
        switch $cell[1]
            case word part
                printf '%s\t%s\n' $cell[2] "$cell[3]"
            case file
                for found in (__fish_complete_path "$path")
                    printf '%s%s\n' "$cell[2]" $found
                end
            case folder
                for found in (__fish_complete_directories "$path" '')
                    printf '%s%s\n' "$cell[2]" $found
                end
            case document
                for found in (__fish_complete_path "$path" | string match -r '^[^\t]*(?:/|\.json)(?:\t.*)?$')
                    printf '%s%s\n' "$cell[2]" $found
                end
        end
    end
end
complete --command kade2kfp --no-files --keep-order --arguments '(_kade2kfp_completion)'
