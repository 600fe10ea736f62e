*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     A new version of the module, while tasks exist.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Test Cases ***
An Update Keeps Every Task And Starts The Service Again
    ${task}    A Task    cron=5m    start=${False}
    Run Action    create-task    ${task}
    ${configuration}    Run Action    get-configuration
    ${files}    State Files
    Update The Module
    ${after}    State Files
    Should Be Equal    ${after}    ${files}
    ${now}    Run Action    get-configuration
    Should Be Equal    ${now}    ${configuration}
    ${state}    Run Helper    systemctl    --user    is-active    imapsync.service
    Should Be Equal    ${state.strip()}    active
    Start And Run    ${task}

An Update Grants What An Older Version Did Not
    Needs The Sandbox    the grants of a real cluster are not the suite's to take back
    Take The Grants Back    selfadm
    Update The Module
    ${granted}    Granted Actions    selfadm
    Should Contain    ${granted}    create-task
