*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     Starting and stopping.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Variables ***
&{NOTHING}

*** Test Cases ***
A Task Is Started
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${listed}    Listed Task    ${task}
    Should Not Be True    ${listed}[service_running]
    Start And Run    ${task}
    ${listed}    Listed Task    ${task}
    Should Be True    ${listed}[has_log]
    Should Be True    ${listed}[last_sync_timestamp] > 0

A Task That Does Not Run Is Stopped Without Complaint
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${reference}    Reference    ${task}
    Run Action    stop-task    ${reference}

A Task That Does Not Exist Is Refused
    ${reference}    Create Dictionary    localuser=u1    task_id=nosuch
    FOR    ${action}    IN    start-task    stop-task    delete-task
        Run Action Refused    ${action}    ${reference}    task_not_found    1
    END

A Run Is Stopped And Can Be Started Again
    Needs The Sandbox    a server that falls silent is played there
    ${task}    A Silent Task    stop01
    ${reference}    Reference    ${task}
    Run Action    start-task    ${reference}
    Wait Until Running    ${task}
    Run Action    start-task    ${reference}
    Run Action    stop-task    ${reference}
    ${listed}    Listed Task    ${task}
    Should Not Be True    ${listed}[service_running]
    # A stop by hand leaves the former result.
    Should Be Equal    ${listed}[last_sync_exit_code]    ${None}
    Run Action    start-task    ${reference}
    Wait Until Running    ${task}

A Running Task Is Deleted
    Needs The Sandbox    a server that falls silent is played there
    ${task}    A Silent Task    stop02
    ${reference}    Reference    ${task}
    Run Action    start-task    ${reference}
    Wait Until Running    ${task}
    Run Action    delete-task    ${reference}
    ${files}    Files Of    ${task}
    Should Be Empty    ${files}

All Tasks Are Started, And One That Is Damaged Keeps None Back
    ${first}    A Task    task_id=all01    start=${False}
    ${second}    A Task    task_id=all02    start=${False}
    Run Action    create-task    ${first}
    Run Action    create-task    ${second}
    Write State File    imapsync/${first}[localuser]_all00.env    REMOTEPORT=none\n
    Run Action    start-all-tasks
    FOR    ${task}    IN    ${first}    ${second}
        Wait Until Keyword Succeeds    2 min    100ms    The Task Should Have Run    ${task}
    END
    [Teardown]    Run Keywords    Run Helper    rm    imapsync/${first}[localuser]_all00.env    AND    Delete All Tasks

All Tasks Are Stopped
    Needs The Sandbox    a server that falls silent is played there
    ${first}    A Silent Task    all11
    ${second}    A Silent Task    all12
    Run Action    start-all-tasks
    Wait Until Running    ${first}
    Wait Until Running    ${second}
    Run Action    stop-all-tasks
    FOR    ${task}    IN    ${first}    ${second}
        ${listed}    Listed Task    ${task}
        Should Not Be True    ${listed}[service_running]
    END

*** Keywords ***
The Task Should Have Run
    [Arguments]    ${task}
    ${listed}    Listed Task    ${task}
    Should Not Be True    ${listed}[service_running]
    Should Be Equal As Integers    ${listed}[last_sync_exit_code]    0
