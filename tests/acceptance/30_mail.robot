*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     What becomes of the mail: which folders are pulled, what is deleted, what Sieve does.
Resource          resources/module.resource
Test Setup        Start Afresh
Test Teardown     Delete All Tasks

*** Test Cases ***
All Folders
    Deliver Mail    remote    a    2    flags=\\Seen
    Deliver Mail    remote    w    1    Work/Plans    flags=\\Flagged
    Deliver Mail    remote    g    1    Grüße & Co
    ${task}    A Task
    Create And Run    ${task}
    Both Sides Should Agree
    ${reference}    Reference    ${task}
    ${sides}    Run Action    list-informations    ${reference}
    Should Be Equal As Integers    ${sides}[host1Messages]    4
    Should Be Equal As Integers    ${sides}[host2Messages]    4
    Should Be Equal    ${sides}[host1Sizes]    ${sides}[host2Sizes]

New Mail Comes With The Next Run, Once
    Deliver Mail    remote    a    2
    ${task}    A Task
    Create And Run    ${task}
    Deliver Mail    remote    b    1
    Start And Run    ${task}
    Folder Should Hold    local    INBOX    a-0    a-1    b-0
    ${listed}    Listed Task    ${task}
    Should Be Equal As Integers    ${listed}[last_sync_messages]    1

The Inbox Alone, Unread Mail Only
    Deliver Mail    remote    new    2
    Deliver Mail    remote    read    1    flags=\\Seen
    Deliver Mail    remote    work    1    Work
    ${task}    A Task    foldersynchronization=inbox
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    new-0    new-1
    ${local}    Mailbox    local
    Should Not Contain    ${local}    Work
    # What was pulled counts as read over there, so that the next run leaves it alone.
    ${flags}    Flags Of    remote    INBOX    new-0
    Should Contain    ${flags}    \\Seen
    Folder Should Hold    remote    INBOX    new-0    new-1    read-0

All Folders But Some
    Deliver Mail    remote    a    1
    Deliver Mail    remote    w    1    Work
    Deliver Mail    remote    t    1    Trash
    Deliver Mail    remote    j    1    Junk
    ${task}    A Task    foldersynchronization=exclusion    exclude=Trash,Junk
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    a-0
    Folder Should Hold    local    Work    w-0
    ${local}    Mailbox    local
    Should Not Contain    ${local}    Trash
    Should Not Contain    ${local}    Junk

Mail Of The Users Own Stays Without Delete Local
    Deliver Mail    remote    a    1
    Deliver Mail    local    own    1
    ${task}    A Task
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    a-0    own-0

Delete Local Follows What Vanished Remotely
    Deliver Mail    remote    a    3
    ${task}    A Task    delete_local=${True}
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    a-0    a-1    a-2
    Remove Mail    remote    INBOX    a-1
    Start And Run    ${task}
    Folder Should Hold    local    INBOX    a-0    a-2

Delete Remote Leaves Nothing There
    Deliver Mail    remote    a    2
    Deliver Mail    remote    w    1    Work
    ${task}    A Task    delete_remote=${True}
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    a-0    a-1
    Folder Should Hold    local    Work    w-0
    ${remote}    Mailbox    remote
    Should Be Empty    ${remote}

Delete Remote Older Leaves What Is Young
    Deliver Mail    remote    old    2    flags=\\Seen    days_old=60
    Deliver Mail    remote    young    1    days_old=5
    ${task}    A Task    delete_remote=${True}    delete_remote_older=${30}
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    old-0    old-1    young-0
    Folder Should Hold    remote    INBOX    young-0

Sieve Files What Was Pulled
    Needs The Sandbox    a user's Sieve script is not the suite's to replace
    ${script}    Catenate    SEPARATOR=\n    require ["fileinto", "mailbox"];
    ...    if header :matches "subject" "list*" { fileinto :create "Lists"; }
    Install Sieve Script    ${script}\n
    Deliver Mail    remote    list    2
    Deliver Mail    remote    plain    1
    ${task}    A Task    foldersynchronization=inbox    sieve_enabled=${True}
    Create And Run    ${task}
    Folder Should Hold    local    INBOX    plain-0
    Folder Should Hold    local    Lists    list-0    list-1
    [Teardown]    Take The Sieve Script Away

*** Keywords ***
Take The Sieve Script Away
    Delete All Tasks
    IF    not $NODE_ADDR    Install Sieve Script    keep;\n
