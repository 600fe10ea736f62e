*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     Many tasks at once: CSV, the migration from NethServer 7, a clone, a backup.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Variables ***
${COLUMNS}    localusername,remoteusername,remotepassword,remotehostname,remoteport,security

*** Test Cases ***
A CSV File Is Checked, Imported And Imported Again
    ${task}    A Task
    ${row}    CSV Row    ${task}    ${task}[remotepassword]
    ${report}    Run Helper    import-csv-tasks    --check    text=${COLUMNS}\n${row}\n
    ${ids}    Listed Ids
    Should Be Empty    ${ids}
    ${report}    Run Helper    import-csv-tasks    text=${COLUMNS}\n${row}\n
    Should Not Contain    ${report}    ${task}[remotepassword]
    ${ids}    Listed Ids
    Length Should Be    ${ids}    1
    Run Helper    import-csv-tasks    text=${COLUMNS}\n${row}\n
    ${again}    Listed Ids
    Should Be Equal    ${again}    ${ids}
    Run Helper    import-csv-tasks    --update    text=${COLUMNS}\n${row}\n
    ${again}    Listed Ids
    Should Be Equal    ${again}    ${ids}

A Bad Row Keeps No Other Back
    ${task}    A Task
    ${other}    A Task    remoteusername=nobody@suite.test
    ${wrong}    CSV Row    ${other}    Not-the-one
    ${right}    CSV Row    ${task}    ${task}[remotepassword]
    ${report}    Run Helper    import-csv-tasks    text=${COLUMNS}\n${wrong}\n${right}\n    rc=1
    Should Contain    ${report}    bad_user_credentials
    ${ids}    Listed Ids
    Length Should Be    ${ids}    1

A File Without A Needed Column Imports Nothing
    Run Helper    import-csv-tasks    text=localusername,remoteusername\nu1,r1\n    rc=1
    ${ids}    Listed Ids
    Should Be Empty    ${ids}

The Accounts Of Getmail Become Tasks
    Needs The Sandbox    the platform moves data in a real migration
    ${imap}    Getmail Account    SimpleIMAPSSLRetriever    60    0
    ${pop}    Getmail Account    SimplePOP3Retriever    5    -1
    ${broken}    Evaluate    {'type': 'getmail', 'props': {'Account': 'u1'}}
    ${accounts}    Evaluate    json.dumps([$imap, $broken, $pop])    modules=json
    Write State File    getmail.json    ${accounts}
    ${request}    Evaluate    {'credentials': ['a', 'b'], 'port': 20027, 'volumes': []}
    Run Action    import-module    ${request}
    ${listed}    Run Action    list-tasks
    Length Should Be    ${listed}[user_properties]    2
    ${tasks}    Evaluate    sorted($listed['user_properties'], key=lambda task: int(task['remoteport']))
    Should Be Equal    ${tasks}[0][security]    tls
    Should Be Equal    ${tasks}[0][cron]    ${EMPTY}
    Should Not Be True    ${tasks}[0][delete_remote]
    Should Be Equal    ${tasks}[1][remoteport]    993
    Should Be Equal    ${tasks}[1][security]    ssl
    Should Be True    ${tasks}[1][delete_remote]
    Should Be Equal    ${tasks}[1][foldersynchronization]    inbox
    Should Match Regexp    ${tasks}[1][cron]    ^(1h|60m)$
    Run Helper    test    !    -e    getmail.json

A Copy And A Restored Backup Take Over The Settings
    Needs The Sandbox    a second instance would be made on a real node
    ${before}    Run Action    get-configuration
    ${task}    A Task    cron=5m    start=${False}
    Run Action    create-task    ${task}
    ${files}    State Files
    FOR    ${action}    IN    clone-module    restore-module
        # What a new instance has: the files, but neither the settings nor a service that runs.
        Run Helper    systemctl    --user    stop    imapsync.service
        ${lines}    Run Helper    sed    /^MAIL_/d    environment
        Write State File    environment    ${lines}
        ${unset}    Run Action    get-configuration
        Should Be Empty    ${unset}[mail_server]
        ${request}    Evaluate
        ...    {'replace': True, 'environment': {'MAIL_SERVER': $before['mail_server'], 'MAIL_HOST': $before['mail_host'], 'OTHER': 'x'}}
        Run Action    ${action}    ${request}
        Wait Until Keyword Succeeds    30 s    200 ms    Run Helper    systemctl    --user    is-active    imapsync.service
        ${after}    Run Action    get-configuration
        Should Be Equal    ${after}    ${before}
        ${state}    Run Helper    systemctl    --user    is-active    imapsync.service
        Should Be Equal    ${state.strip()}    active
        ${environment}    Run Helper    cat    environment
        Should Not Contain    ${environment}    OTHER=
        ${same}    State Files
        Should Be Equal    ${same}    ${files}
        Start And Run    ${task}
    END

*** Keywords ***
CSV Row
    [Arguments]    ${task}    ${password}
    ${row}    Catenate    SEPARATOR=,    ${task}[localuser]    ${task}[remoteusername]    ${password}
    ...    ${task}[remotehostname]    ${task}[remoteport]    ${task}[security]
    RETURN    ${row}

Getmail Account
    [Arguments]    ${retriever}    ${minutes}    ${delete}
    ${account}    Evaluate    {'type': 'getmail', 'props': {'Account': 'u1', 'Password': 'pw1', 'Server': 'imap.x.test', 'Username': 'r1', 'Retriever': $retriever, 'Delete': $delete, 'Time': $minutes, 'status': 'enabled', 'FilterCheck': 'disabled'}}
    RETURN    ${account}
