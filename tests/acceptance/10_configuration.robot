*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation    The choice of the mail server.
Resource         resources/module.resource

*** Test Cases ***
An Unknown Mail Server Is Refused And Changes Nothing
    ${before}    Run Helper    cat    environment
    ${input}    Create Dictionary    mail_server=00000000-0000-0000-0000-000000000000    mail_host=10.5.4.1
    Run Action Refused    configure-module    ${input}    mail_server_is_not_valid    3
    ${after}    Run Helper    cat    environment
    Should Be Equal    ${after}    ${before}

A Mail Server Is Chosen And The Service Runs
    ${input}    Configure The Module
    ${configuration}    Run Action    get-configuration
    Should Be Equal    ${configuration}[mail_server]    ${input}[mail_server]
    Should Be Equal    ${configuration}[mail_host]    ${input}[mail_host]
    ${state}    Run Helper    systemctl    --user    is-active    imapsync.service
    Should Be Equal    ${state.strip()}    active
    ${mode}    File Mode    imapsync/vmail.pwd
    Should Be Equal    ${mode}    600

The Mailboxes Of The Mail Server Are Listed
    ${listed}    Run Action    list-tasks
    Should Not Be Empty    ${listed}[enabled_mailboxes]

An Unknown Mail Server Leaves The Chosen One
    ${input}    Create Dictionary    mail_server=00000000-0000-0000-0000-000000000000    mail_host=10.5.4.1
    ${before}    Run Action    get-configuration
    Run Action Refused    configure-module    ${input}    mail_server_is_not_valid    3
    ${after}    Run Action    get-configuration
    Should Be Equal    ${after}    ${before}

The Settings Of The Mail Server Change
    Needs The Sandbox    a real mail module's address must not be changed by a test
    ${input}    Run Action    get-configuration
    ${event}    Create Dictionary    module_uuid=${input}[mail_server]
    Change Mail Module Address    127.0.0.77
    Send Event    mail-settings-changed    ${event}
    ${changed}    Run Action    get-configuration
    Should Be Equal    ${changed}[mail_host]    127.0.0.77
    Change Mail Module Address    ${input}[mail_host]
    ${other}    Create Dictionary    module_uuid=00000000-0000-0000-0000-000000000000
    Send Event    mail-settings-changed    ${other}
    ${unchanged}    Run Action    get-configuration
    Should Be Equal    ${unchanged}[mail_host]    127.0.0.77
    [Teardown]    Follow The Mail Server Back    ${input}

*** Keywords ***
Follow The Mail Server Back
    [Arguments]    ${input}
    Change Mail Module Address    ${input}[mail_host]
    ${event}    Create Dictionary    module_uuid=${input}[mail_server]
    Send Event    mail-settings-changed    ${event}
    ${configuration}    Run Action    get-configuration
    Should Be Equal    ${configuration}[mail_host]    ${input}[mail_host]
