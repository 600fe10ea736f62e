*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     The life of a task: created, refused, edited, listed, deleted.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Test Cases ***
A Wrong Password Leaves Nothing
    ${task}    A Task    remotepassword=Not-the-one
    ${before}    State Files
    Run Action Refused    create-task    ${task}    bad_user_credentials    2
    ${after}    State Files
    Should Be Equal    ${after}    ${before}
    ${ids}    Listed Ids
    Should Be Empty    ${ids}

An Unknown Host Leaves Nothing
    ${task}    A Task    remotehostname=nowhere.invalid
    ${before}    State Files
    Run Action Refused    create-task    ${task}    Check_hostname_or_tcp_port    3
    ${after}    State Files
    Should Be Equal    ${after}    ${before}

A Port Where No One Listens Leaves Nothing
    ${port}    A Free Port
    ${task}    A Task    remotehostname=127.0.0.1    remoteport=${port}
    Run Action Refused    create-task    ${task}    Check_hostname_or_tcp_port    3
    ${ids}    Listed Ids
    Should Be Empty    ${ids}

A Local User Who Does Not Exist Is Refused
    ${task}    A Task    localuser=nobody-of-that-name
    Run Action Refused    create-task    ${task}    local_user_unknown    1
    ${ids}    Listed Ids
    Should Be Empty    ${ids}

A Task Brings The Mail
    ${task}    A Task
    Create And Run    ${task}
    ${reference}    Reference    ${task}
    ${sides}    Run Action    list-informations    ${reference}
    Should Be True    ${sides}[status]
    ${log}    Run Action    get-log    ${reference}
    Should Contain    ${log}[log_content]    ${task}[remoteusername]
    Should Not Contain    ${log}[log_content]    ${task}[remotepassword]
    Should Not Be True    ${log}[truncated]

A Second Run Copies Nothing
    ${task}    A Task
    Create And Run    ${task}
    Start And Run    ${task}
    ${reference}    Reference    ${task}
    ${log}    Run Action    get-log    ${reference}
    Should Match Regexp    ${log}[log_content]    (?m)^Messages transferred\\s+: 0\\b

A Task Is Listed With What It Was Created With, And No Password
    ${task}    A Task    cron=5m    foldersynchronization=exclusion    exclude=Trash,Junk    start=${False}
    Run Action    create-task    ${task}
    ${listed}    Listed Task    ${task}
    Should Be Equal    ${listed}[remoteusername]    ${task}[remoteusername]
    Should Be Equal    ${listed}[remotehostname]    ${task}[remotehostname]
    Should Be Equal    ${listed}[remoteport]    ${{str($task['remoteport'])}}
    Should Be Equal    ${listed}[security]    ${task}[security]
    Should Be Equal    ${listed}[cron]    5m
    Should Be Equal    ${listed}[exclude]    ,Trash,Junk
    Should Be Equal    ${listed}[foldersynchronization]    exclusion
    Should Be Equal    ${listed}[remotepassword]    ${EMPTY}
    Should Be Equal    ${listed}[last_sync_exit_code]    ${None}
    ${text}    Convert To String    ${listed}
    Should Not Contain    ${text}    ${task}[remotepassword]

The Files Of A Task Keep Its Secrets
    ${task}    A Task    cron=2h    start=${False}
    Run Action    create-task    ${task}
    ${name}    Set Variable    ${task}[localuser]_${task}[task_id]
    FOR    ${ending}    IN    env    pwd
        ${mode}    File Mode    imapsync/${name}.${ending}
        Should Be Equal    ${mode}    600
    END
    ${configuration}    Run Action    get-configuration
    ${cron}    Run Helper    cat    cron/${name}.cron
    Should Be Equal    ${cron}
    ...    MAIL_HOST=${configuration}[mail_host]\n1 */2 * * *${SPACE}${SPACE}root /usr/local/bin/syncctl start ${name}\n

An Edit Changes The Task And Keeps The Password
    ${task}    A Task    cron=5m    start=${False}
    Run Action    create-task    ${task}
    ${edited}    A Task    cron=${EMPTY}    foldersynchronization=inbox    remotepassword=${EMPTY}    start=${False}
    Run Action    create-task    ${edited}
    ${listed}    Listed Task    ${task}
    Should Be Equal    ${listed}[cron]    ${EMPTY}
    Should Be Equal    ${listed}[foldersynchronization]    inbox
    ${password}    Run Helper    cat    imapsync/${task}[localuser]_${task}[task_id].pwd
    Should Be Equal    ${password}    ${task}[remotepassword]
    ${files}    Files Of    ${task}
    Should Not Contain    ${files}    cron/${task}[localuser]_${task}[task_id].cron
    ${ids}    Listed Ids
    Length Should Be    ${ids}    1

A Refused Edit Leaves All As It Was
    ${task}    A Task    cron=5m    start=${False}
    Run Action    create-task    ${task}
    ${before}    State Files
    ${wrong}    A Task    cron=${EMPTY}    foldersynchronization=inbox    remotepassword=Not-the-one
    Run Action Refused    create-task    ${wrong}    bad_user_credentials    2
    ${wrong}    A Task    cron=${EMPTY}    remotehostname=nowhere.invalid
    Run Action Refused    create-task    ${wrong}    Check_hostname_or_tcp_port    3
    ${after}    State Files
    Should Be Equal    ${after}    ${before}

A Field That Does Not Exist And One That Is Missing Are Refused
    ${task}    A Task    surprise=yes
    Run Action    create-task    ${task}    rc=10
    ${task}    A Task
    Remove From Dictionary    ${task}    remotepassword
    Run Action Refused    create-task    ${task}    remotepassword_required    10
    ${ids}    Listed Ids
    Should Be Empty    ${ids}

Facts Count The Kinds Of Tasks
    ${all}    A Task    task_id=fact01    cron=5m    start=${False}
    ${inbox}    A Task    task_id=fact02    foldersynchronization=inbox    delete_remote=${True}
    ...    sieve_enabled=${True}    start=${False}
    ${older}    A Task    task_id=fact03    delete_remote=${True}    delete_remote_older=${30}    start=${False}
    FOR    ${task}    IN    ${all}    ${inbox}    ${older}
        Run Action    create-task    ${task}
    END
    ${facts}    Run Action    get-facts
    ${wanted}    Create Dictionary    tasks_total_count=${3}    tasks_delete_count=${2}    tasks_delete_older_count=${1}
    ...    tasks_inbox_count=${1}    tasks_inbox_and_delete_count=${1}    tasks_cron_enabled_count=${1}
    ...    tasks_sieve_enabled_count=${1}    tasks_failing_count=${0}    tasks_login_refused_count=${0}
    ...    tasks_unreadable_count=${0}
    Dictionaries Should Be Equal    ${facts}    ${wanted}

A Task Is Deleted With Its Files, And No Other
    ${first}    A Task    task_id=gone01    cron=5m    start=${False}
    ${second}    A Task    task_id=stay01    cron=5m    start=${False}
    Run Action    create-task    ${first}
    Run Action    create-task    ${second}
    ${reference}    Reference    ${first}
    Run Action    delete-task    ${reference}
    ${ids}    Listed Ids
    Should Be Equal    ${ids}    ${{['stay01']}}
    ${files}    Files Of    ${first}
    Should Be Empty    ${files}
    ${files}    Files Of    ${second}
    Should Not Be Empty    ${files}
    Run Action Refused    delete-task    ${reference}    task_not_found    1

All Tasks Of A User Are Deleted At Once
    FOR    ${id}    IN    many01    many02
        ${task}    A Task    task_id=${id}    start=${False}
        Run Action    create-task    ${task}
    END
    ${user}    Create Dictionary    localuser=${task}[localuser]
    Run Action    delete-task    ${user}
    ${ids}    Listed Ids
    Should Be Empty    ${ids}
