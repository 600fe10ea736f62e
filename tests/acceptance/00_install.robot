*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation    What a module is right after add-module.
Resource         resources/module.resource

*** Test Cases ***
The Actions Are Granted To Those Who Administer Themselves
    ${granted}    Granted Actions    selfadm
    Should Contain    ${granted}    create-task

A Fresh Module Has No Tasks
    ${listed}    Run Action    list-tasks
    Should Be Empty    ${listed}[enabled_mailboxes]
    Should Be Empty    ${listed}[user_properties]
    ${facts}    Run Action    get-facts
    Should Be Equal As Integers    ${facts}[tasks_total_count]    0

A Fresh Module Offers The Mail Servers And Has Chosen None
    ${configuration}    Run Action    get-configuration
    Should Be Empty    ${configuration}[mail_server]
    Should Be Empty    ${configuration}[mail_host]
    Should Not Be Empty    ${configuration}[mail_server_URL]
