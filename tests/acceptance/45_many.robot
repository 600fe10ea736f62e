*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     Many tasks with one call: imported, started, stopped, changed, deleted.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Test Cases ***
Rows Are Checked, Imported, Skipped And Updated
    ${row}    A Row
    ${before}    State Files
    ${checked}    Import    check    ${row}
    Should Be Equal    ${checked}[results][0][result]    valid
    ${after}    State Files
    Should Be Equal    ${after}    ${before}
    ${created}    Import    skip    ${row}
    Should Be Equal As Integers    ${created}[created]    1
    ${ids}    Listed Ids
    Should Be Equal    ${ids}    ${{[$created['results'][0]['task_id']]}}
    ${skipped}    Import    skip    ${row}
    Should Be Equal As Integers    ${skipped}[skipped]    1
    ${row}    A Row    cron=3h
    ${updated}    Import    update    ${row}
    Should Be Equal As Integers    ${updated}[updated]    1
    ${again}    Listed Ids
    Should Be Equal    ${again}    ${ids}
    ${listed}    Run Action    list-tasks
    Should Be Equal    ${listed}[user_properties][0][cron]    3h

A Refused Row Is Told By Its Key And Keeps No Other Back
    ${good}    A Row
    ${wrong}    A Row    remoteusername=nobody@suite.test    remotepassword=Not-the-one
    ${short}    Create Dictionary    localuser=${good}[localuser]
    ${summary}    Import    skip    ${wrong}    ${short}    ${good}
    ${verdicts}    Evaluate    [row['result'] for row in $summary['results']]
    Should Be Equal    ${verdicts}    ${{['refused', 'refused', 'created']}}
    Should Be Equal    ${summary}[results][0][errors][0][error]    bad_user_credentials
    ${missing}    Evaluate    {error['error'] for error in $summary['results'][1]['errors']}
    Should Contain    ${missing}    remotepassword_required
    Should Be Equal As Integers    ${summary}[refused]    2

Several Tasks Are Started, Changed And Deleted, Each For Itself
    ${first}    A Task    task_id=bulk01    start=${False}
    ${second}    A Task    task_id=bulk02    start=${False}
    Run Action    create-task    ${first}
    Run Action    create-task    ${second}
    ${results}    Start Several And Run    ${first}    ${second}
    Should Be Equal    ${{[result['result'] for result in $results]}}    ${{['started', 'started']}}
    ${tasks}    References    bulk01    nosuch    bulk02
    ${stopped}    Run Action    stop-task    ${tasks}
    Should Be Equal    ${{[task['result'] for task in $stopped['results']]}}
    ...    ${{['not_running', 'refused', 'not_running']}}
    ${changes}    Create Dictionary    &{tasks}    cron=2h    foldersynchronization=exclusion    exclude=Trash
    ${changed}    Run Action    update-tasks    ${changes}
    Should Be Equal    ${{[task['result'] for task in $changed['results']]}}
    ...    ${{['updated', 'refused', 'updated']}}
    Should Be Equal    ${changed}[results][1][errors][0][error]    task_not_found
    ${listed}    Listed Task    ${second}
    Should Be Equal    ${listed}[cron]    2h
    Should Be Equal    ${listed}[exclude]    ,Trash
    ${deleted}    Run Action    delete-task    ${tasks}
    Should Be Equal    ${{[task['result'] for task in $deleted['results']]}}
    ...    ${{['deleted', 'refused', 'deleted']}}
    Should Be Equal    ${deleted}[results][1][error]    task_not_found
    ${ids}    Listed Ids
    Should Be Empty    ${ids}

Several Runs Are Stopped
    Needs The Sandbox    a server that falls silent is played there
    ${first}    A Silent Task    bulk11
    ${second}    A Silent Task    bulk12
    ${tasks}    References    bulk11    bulk12
    ${started}    Run Action    start-task    ${tasks}
    Should Be Equal    ${{[task['result'] for task in $started['results']]}}    ${{['started', 'started']}}
    Wait Until Running    ${first}
    Wait Until Running    ${second}
    ${started}    Run Action    start-task    ${tasks}
    Should Be Equal    ${{[task['result'] for task in $started['results']]}}
    ...    ${{['already_running', 'already_running']}}
    ${stopped}    Run Action    stop-task    ${tasks}
    Should Be Equal    ${{[task['result'] for task in $stopped['results']]}}    ${{['stopped', 'stopped']}}

A Password That Does Not Work Replaces None
    ${task}    A Task    task_id=bulk21    start=${False}
    Run Action    create-task    ${task}
    ${before}    State Files
    ${tasks}    References    bulk21
    ${changes}    Create Dictionary    &{tasks}    remotepassword=Not-the-one
    ${changed}    Run Action    update-tasks    ${changes}
    Should Be Equal    ${changed}[results][0][errors][0][error]    bad_user_credentials
    ${after}    State Files
    Should Be Equal    ${after}    ${before}
    ${changes}    Create Dictionary    &{tasks}    cron=never
    Run Action Refused    update-tasks    ${changes}    cron_invalid    1
    ${after}    State Files
    Should Be Equal    ${after}    ${before}

*** Keywords ***
A Row
    [Arguments]    &{changes}
    ${task}    A Task
    ${row}    Create Dictionary    localuser=${task}[localuser]    remoteusername=${task}[remoteusername]
    ...    remotepassword=${task}[remotepassword]    remotehostname=${task}[remotehostname]
    ...    remoteport=${task}[remoteport]    security=${task}[security]    start=${False}    &{changes}
    RETURN    ${row}

Import
    [Arguments]    ${mode}    @{rows}
    ${request}    Create Dictionary    mode=${mode}    tasks=${rows}
    ${summary}    Run Action    import-tasks    ${request}
    RETURN    ${summary}
