# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_syncctl_global_optspecs
    string join \n h/help V/version
end

function __fish_syncctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_syncctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_syncctl_using_subcommand
    set -l cmd (__fish_syncctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c syncctl -n "__fish_syncctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncctl -n "__fish_syncctl_needs_command" -s V -l version -d 'Print version'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "start" -d 'Runs tasks, and follows them to their ends; Ctrl-C stops the run of a single one'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "run" -d 'Runs a task in this process, for the supervisor'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "stop" -d 'Stops tasks that run or wait, and waits until they are gone'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "pause" -d 'Starts no more runs until resume; those at work go on'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "resume" -d 'Starts runs again after pause'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "health" -d 'Tells by the exit code whether the supervisor, crond and the queue are well'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "serve" -d 'Is the supervisor of all runs, next to the command given, and ends when that ends'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "status" -d 'Prints Running or Stopped'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "validation" -d 'Tests the logins of a task, or of a candidate given as JSON on stdin'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "list-informations" -d 'Counts folders, messages and bytes on both sides'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "assess" -d 'Looks at both sides before a move and prints as JSON what it would meet'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "verify" -d 'Compares both sides message by message and prints as JSON what differs'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "list-folders" -d 'Lists the folders of the remote account of a task, or of a candidate given as JSON on stdin'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "test-source" -d 'Tests a source with one mailbox, both given as JSON on stdin'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "engine" -d 'Tells which engine runs use, and its version, as JSON'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "metrics" -d 'Prints the metrics of the instance for Prometheus, or serves them over HTTP'
complete -c syncctl -n "__fish_syncctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c syncctl -n "__fish_syncctl_using_subcommand start" -l at -d 'Has the supervisor start them at that time, in seconds since 1970, and comes back' -r
complete -c syncctl -n "__fish_syncctl_using_subcommand start" -l dry-run -d 'Prints as JSON what the run of one task would do, and does nothing'
complete -c syncctl -n "__fish_syncctl_using_subcommand start" -l detach -d 'Hands the tasks over to the supervisor, and comes back'
complete -c syncctl -n "__fish_syncctl_using_subcommand start" -l debug -d 'Writes what the runs say to the servers and hear, without mail and secrets, to NAME.trace'
complete -c syncctl -n "__fish_syncctl_using_subcommand start" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand run" -l scheduled -d 'Whether a schedule wants it'
complete -c syncctl -n "__fish_syncctl_using_subcommand run" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand stop" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand pause" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand resume" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand health" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand serve" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand validation" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand list-informations" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand assess" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand verify" -l deep -d 'Compares every byte of every message'
complete -c syncctl -n "__fish_syncctl_using_subcommand verify" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand list-folders" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand test-source" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand engine" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand metrics" -l listen -d 'Where to serve them, such as 0.0.0.0:9187' -r
complete -c syncctl -n "__fish_syncctl_using_subcommand metrics" -s h -l help -d 'Print help'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "start" -d 'Runs tasks, and follows them to their ends; Ctrl-C stops the run of a single one'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "run" -d 'Runs a task in this process, for the supervisor'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "stop" -d 'Stops tasks that run or wait, and waits until they are gone'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "pause" -d 'Starts no more runs until resume; those at work go on'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "resume" -d 'Starts runs again after pause'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "health" -d 'Tells by the exit code whether the supervisor, crond and the queue are well'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "serve" -d 'Is the supervisor of all runs, next to the command given, and ends when that ends'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "status" -d 'Prints Running or Stopped'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "validation" -d 'Tests the logins of a task, or of a candidate given as JSON on stdin'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "list-informations" -d 'Counts folders, messages and bytes on both sides'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "assess" -d 'Looks at both sides before a move and prints as JSON what it would meet'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "verify" -d 'Compares both sides message by message and prints as JSON what differs'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "list-folders" -d 'Lists the folders of the remote account of a task, or of a candidate given as JSON on stdin'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "test-source" -d 'Tests a source with one mailbox, both given as JSON on stdin'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "engine" -d 'Tells which engine runs use, and its version, as JSON'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "metrics" -d 'Prints the metrics of the instance for Prometheus, or serves them over HTTP'
complete -c syncctl -n "__fish_syncctl_using_subcommand help; and not __fish_seen_subcommand_from start run stop pause resume health serve status validation list-informations assess verify list-folders test-source engine metrics help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
