*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation    The choice of the mail server.
Resource         module.resource

*** Test Cases ***
A Fresh Module Offers The Mail Servers And Has Chosen None
    ${configuration}    Run Action    get-configuration
    Should Be Empty    ${configuration}[mail_server]
    Should Not Be Empty    ${configuration}[mail_server_URL]

An Unknown Mail Server Is Refused
    ${input}    Create Dictionary    mail_server=00000000-0000-0000-0000-000000000000    mail_host=10.5.4.1
    ${errors}    Run Action    configure-module    ${input}    rc=3
    IF    not $NODE_ADDR    Should Be Equal    ${errors}[0][error]    mail_server_is_not_valid

A Mail Server Is Chosen And The Service Runs
    ${offered}    Run Action    get-configuration
    ${uuid}    ${host}    Split String    ${offered}[mail_server_URL][0][value]    ,
    ${input}    Create Dictionary    mail_server=${uuid}    mail_host=${host}
    Run Action    configure-module    ${input}
    ${configuration}    Run Action    get-configuration
    Should Be Equal    ${configuration}[mail_server]    ${uuid}
    Should Be Equal    ${configuration}[mail_host]    ${host}
    ${state}    Run In The Module    systemctl    --user    is-active    imapsync.service
    Should Be Equal    ${state.strip()}    active
