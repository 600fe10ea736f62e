*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     What can be asked before and after a run, and changes nothing.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Test Cases ***
Settings Are Tested And Nothing Is Stored
    ${before}    State Files
    ${task}    A Task
    ${found}    Run Action    validate-task    ${task}
    FOR    ${side}    IN    remote    local
        Should Be Equal    ${found}[${side}][status]    ok
        Should Not Be Empty    ${found}[${side}][message]
        Should Not Be Empty    ${found}[${side}][capabilities]
        Should Not Be Empty    ${found}[${side}][greeting]
    END
    Should Start With    ${found}[remote][tls][version]    TLS
    Should Match Regexp    ${found}[remote][tls][certificate][sha256]    ^[0-9a-f]{64}$
    ${after}    State Files
    Should Be Equal    ${after}    ${before}

Each Side Is Judged For Itself
    ${task}    A Task    remotepassword=Not-the-one
    ${found}    Run Action    validate-task    ${task}
    Should Be Equal    ${found}[remote][status]    bad_user_credentials
    Should Be Equal    ${found}[local][status]    ok
    ${task}    A Task    localuser=nobody-of-that-name
    ${found}    Run Action    validate-task    ${task}
    Should Be Equal    ${found}[remote][status]    ok
    Should Be Equal    ${found}[local][status]    local_user_unknown
    ${task}    A Task    remotehostname=nowhere.invalid
    ${found}    Run Action    validate-task    ${task}
    Should Be Equal    ${found}[remote][status]    Check_hostname_or_tcp_port

Impossible Settings Are Refused Rather Than Tested
    ${task}    A Task    remoteport=${65536}
    Run Action    validate-task    ${task}    rc=10
    ${task}    A Task    exclude=(
    Run Action Refused    validate-task    ${task}    exclude_invalid    1

The Remote Folders Are Shown Before There Is A Task
    ${task}    A Task    foldersynchronization=exclusion    exclude=^INBOX$
    ${listed}    Run Action    browse-folders    ${task}
    ${inbox}    Evaluate    next(folder for folder in $listed['folders'] if folder['name'].upper() == 'INBOX')
    Should Be True    ${inbox}[excluded]
    Should Be True    ${inbox}[messages] >= 0
    ${ids}    Listed Ids
    Should Be Empty    ${ids}
    ${task}    A Task    remotepassword=Not-the-one
    ${listed}    Run Action    browse-folders    ${task}
    Should Be Equal    ${listed}[status]    bad_user_credentials

The Remote Folders Of A Task Are Shown
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${reference}    Reference    ${task}
    ${listed}    Run Action    browse-folders    ${reference}
    ${names}    Evaluate    [folder['name'].upper() for folder in $listed['folders']]
    Should Contain    ${names}    INBOX
    ${sides}    Run Action    list-informations    ${reference}
    Should Be Equal    ${listed}[messages]    ${sides}[host1Messages]

A Run Is Looked Ahead At
    Start Afresh
    Deliver Mail    remote    a    3
    Deliver Mail    remote    w    1    Work
    ${task}    A Task    start=${False}    delete_remote=${True}
    Run Action    create-task    ${task}
    ${reference}    Reference    ${task}
    ${ahead}    Run Action    preview-task    ${reference}
    Should Be Equal As Integers    ${ahead}[copy]    4
    Should Be Equal As Integers    ${ahead}[delete_remote]    4
    Should Be Equal As Integers    ${ahead}[delete_local]    0
    ${local}    Mailbox    local
    Should Be Empty    ${local}
    Folder Should Hold    remote    INBOX    a-0    a-1    a-2
    Start And Run    ${task}
    ${ahead}    Run Action    preview-task    ${reference}
    Should Be Equal As Integers    ${ahead}[copy]    0

Both Sides Are Compared Message By Message
    Start Afresh
    Deliver Mail    remote    a    3
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${reference}    Reference    ${task}
    ${verdict}    Run Action    verify-task    ${reference}
    Should Not Be True    ${verdict}[agree]
    ${kinds}    Evaluate    [difference['kind'] for difference in $verdict['differences']]
    Should Be Equal    ${kinds}    ${{['missing'] * 3}}
    Start And Run    ${task}
    ${deep}    Create Dictionary    &{reference}    deep=${True}
    ${verdict}    Run Action    verify-task    ${deep}
    Should Be True    ${verdict}[agree]
    Deliver Mail    local    own    1
    ${verdict}    Run Action    verify-task    ${reference}
    Should Not Be True    ${verdict}[agree]
    Should Be Equal    ${verdict}[differences][0][kind]    extra
    Should Be Equal    ${verdict}[differences][0][message_id]    <own-0@suite.test>

Where A Task Stands Between Its Runs
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${reference}    Reference    ${task}
    ${gone}    Create Dictionary    localuser=${task}[localuser]    task_id=nosuch
    ${question}    Create Dictionary    tasks=${{[$reference, $gone]}}
    ${standing}    Run Action    get-progress    ${question}
    Length Should Be    ${standing}[tasks]    1
    Should Be Equal    ${standing}[tasks][0][state]    idle
    Should Be Equal    ${standing}[tasks][0][last_result]    ${None}
    Start And Run    ${task}
    ${standing}    Run Action    get-progress
    Should Be Equal    ${standing}[tasks][0][state]    idle
    Should Be Equal    ${standing}[tasks][0][last_result]    ok

Where A Run Stands
    Needs The Sandbox    a server that falls silent is played there
    ${task}    A Silent Task    show01
    ${reference}    Reference    ${task}
    Run Action    start-task    ${reference}
    Wait Until Running    ${task}
    ${standing}    Run Action    get-progress
    Should Be Equal    ${standing}[tasks][0][state]    running
    Run Action    stop-task    ${reference}
    ${standing}    Run Action    get-progress
    Should Be Equal    ${standing}[tasks][0][state]    idle

A Task That Is Gone Has An Empty Log, And No Figures
    ${reference}    Create Dictionary    localuser=u1    task_id=nosuch
    ${log}    Run Action    get-log    ${reference}
    Should Be Empty    ${log}[log_content]
    Should Not Be True    ${log}[truncated]
    ${sides}    Run Action    list-informations    ${reference}
    Should Not Be True    ${sides}[status]

A Long Log Is Shown From A Whole Line On
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${text}    Evaluate    ''.join(f'line {number}\\n' for number in range(30_000))
    Write State File    imapsync/${task}[localuser]_${task}[task_id].log    ${text}
    ${reference}    Reference    ${task}
    ${log}    Run Action    get-log    ${reference}
    Should Be True    ${log}[truncated]
    Should Start With    ${log}[log_content]    line
    Should End With    ${log}[log_content]    line 29999\n
    Should Be True    len($log['log_content']) <= 100 * 1024
