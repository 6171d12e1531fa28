#!/bin/sh
# Puts function.zip on AWS Lambda behind a streaming Function URL, and takes it
# away again. `make deploy`, `invoke`, `logs` and `undeploy` call it:
#     deploy.sh deploy|invoke|logs|undeploy [NAME=value...]
# It needs the AWS CLI v2, and curl for `invoke`. README.md, beside this file,
# explains the steps for those who take them by hand.
#
# Each step looks first and changes only what differs, so a run may be repeated,
# and one that was cut off is continued by the next. Credentials never pass
# through a variable or an argument of this script.

# Settings come from the arguments alone. What the environment says counts only
# as it does for AWS's own tools.
FUNCTION=rawstream ARCH=x86_64 REGION= PROFILE= ROLE= AUTH=NONE TIMEOUT=30
MEMORY=128 ZIP=function.zip EVENT= YES= DRY_RUN=
ROLE_NAME_MAX=64
TAG=rawstream-deploy # a role that has it was made here
RUNTIME=provided.al2023
OPEN_URL=lambda:InvokeFunctionUrl RUN_FUNCTION=lambda:InvokeFunction
LOGS=iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
TRUST='{"Version": "2012-10-17", "Statement": [{'\
'"Effect": "Allow", "Action": "sts:AssumeRole", '\
'"Principal": {"Service": "lambda.amazonaws.com"}}]}'

set -fu
export AWS_PAGER=

say() { printf '%s\n' "$*" >&2; }
# What was done; a dry run does nothing.
did() { [ -n "$DRY_RUN" ] || say "$*"; }
fail() {
    say "make $verb: $*"
    exit 1
}

# Calls of AWS

# Prints a command so that a shell can read it.
show() {
    line=
    for word; do
        case $word in
        '' | *[!A-Za-z0-9_./:=@,+-]*)
            word=\'$(printf %s "$word" | sed "s/'/'\\\\''/g")\'
            ;;
        esac
        line="$line $word"
    done
    printf '%s\n' "${line# }"
}

# call CODES ARGUMENTS...: one command of the AWS CLI, which tries again by
# itself when AWS is busy. Its output goes to $out. An error that is among CODES
# gives status 1, its code is in $code; any other ends the script.
call() {
    codes=$1 code=
    shift
    set -- "$@" --region "$REGION" --output text
    [ -z "$PROFILE" ] || set -- "$@" --profile "$PROFILE"
    if [ -n "$DRY_RUN" ]; then
        show aws "$@"
        out=
        # Nothing is there yet.
        case $2 in get-* | list-*) return 1 ;; *) return 0 ;; esac
    fi
    out=$(aws "$@" 2>"$scratch/error" </dev/null) && return
    error=$(tr -s '\n' ' ' <"$scratch/error")
    error=${error# }
    case $error in
    *'An error occurred ('*)
        code=${error#*An error occurred (}
        code=${code%%)*}
        case " $codes " in *" $code "*) return 1 ;; esac
        ;;
    *'nvalid choice'*)
        error='this AWS CLI does not know the command: version 2 does'
        ;;
    esac
    fail "aws $1 $2: $error"
}

# change CODES ARGUMENTS...: as call, but what passes is waited for: another
# change of the function, a role that is too new for Lambda or for IAM itself, a
# policy that was detached a moment ago.
change() {
    accepted=$1 tries=0
    shift
    until call "$accepted ResourceConflictException NoSuchEntity \
InvalidParameterValueException DeleteConflict" "$@"; do
        case " $accepted " in *" $code "*) return 1 ;; esac
        limit=60
        case $code,$error in
        InvalidParameterValueException,*'cannot be assumed'*) ;;
        InvalidParameterValueException,*) limit=0 ;;
        DeleteConflict,* | NoSuchEntity,*) limit=5 ;;
        esac
        tries=$((tries + 1))
        [ $tries -le $limit ] || fail "aws $1 $2: $error"
        [ $tries -gt 1 ] || say "waiting: $error"
        sleep 2
        [ "$code" != ResourceConflictException ] || look
    done
}

# What there is

# The function, when no change of it is under way; status 1 if there is none.
look() {
    looks=0
    while call ResourceNotFoundException lambda get-function-configuration \
        --function-name "$FUNCTION" --query "[State, LastUpdateStatus, \
PackageType, Runtime, Role, CodeSha256, Architectures[0], Handler, Timeout, \
MemorySize, StateReason || LastUpdateStatusReason]"; do
        set -- $out
        state=$1 update=$2 kind=$3,$4 role=$5 code_sha=$6 architecture=$7
        settings="$4 $8 $9 ${10}"
        shift 10
        reason=$*
        case $kind in
        Zip,provided*) ;;
        *) fail "the function $FUNCTION is there and of another kind ($kind)" ;;
        esac
        case $state,$update in
        Pending,* | *,InProgress) ;;
        *) return 0 ;;
        esac
        looks=$((looks + 1))
        [ $looks -le 300 ] || fail "$FUNCTION stays $state, $update"
        [ $looks -gt 1 ] || say "waiting: $FUNCTION is $state, $update"
        sleep 1
    done
    return 1
}

# After a change: waits for its end.
settle() {
    look || [ -n "$DRY_RUN" ] || fail "the function $FUNCTION has gone"
}

look_url() {
    url= url_auth= url_mode=
    call ResourceNotFoundException lambda get-function-url-config \
        --function-name "$FUNCTION" \
        --query '[FunctionUrl, AuthType, InvokeMode]' || return
    set -- $out
    url=$1 url_auth=$2 url_mode=$3
}

look_policy() {
    policy=
    call ResourceNotFoundException lambda get-policy \
        --function-name "$FUNCTION" --query Policy || return
    policy=$(printf %s "$out" | tr -d ' \n')
}

# public ACTION: the ids of the statements by which everybody with the URL may
# do it: `*` is allowed to, and no key such as aws:SourceArn narrows that.
public() {
    printf '%s\n' "$policy" | awk -v action="\"Action\":\"$1\"" '{
        n = split($0, statement, /[{]"Sid":"/)
        for (i = 2; i <= n; i++) {
            text = statement[i]
            if (index(text, action) && !index(text, "\"aws:") &&
                text ~ /"Principal":("[*]"|[{]"AWS":"[*]"[}])/ &&
                text ~ /FunctionUrlAuthType":"NONE"|ViaFunctionUrl":"true"/)
                print substr(text, 1, index(text, "\"") - 1)
        }
    }'
}

# The role that is made for this function; $tagged if it was made here.
look_role() {
    tagged=
    [ ${#role_name} -le $ROLE_NAME_MAX ] || return
    call NoSuchEntity iam get-role --role-name "$role_name" \
        --query "Role.[Arn, Tags[?Key=='$TAG'] | [0].Value]" || return
    set -- $out
    role=$1
    [ "$2" = None ] || tagged=1
}

# deploy

ask() {
    say "AUTH=NONE makes $FUNCTION public: anybody who has its URL can run" \
        'it, and the owner of this AWS account pays.'
    [ "$YES" != 1 ] && [ -z "$DRY_RUN" ] || return 0
    [ -t 0 ] || fail 'nobody is here to be asked; YES=1 says yes'
    printf 'Go on? [y/N] ' >&2
    read -r answer || answer=
    case $answer in
    [yY]*) ;;
    *) fail 'nothing was changed' ;;
    esac
}

# A role with the right to write logs, and no other. One that somebody else made
# under this name is taken as it is.
put_role() {
    if ! look_role; then
        if call EntityAlreadyExists iam create-role --role-name "$role_name" \
            --assume-role-policy-document "$TRUST" \
            --description 'Made by make deploy of rawstream' \
            --tags "Key=$TAG,Value=$FUNCTION" --query Role.Arn; then
            role=${out:-$DRY_ROLE} tagged=1
            did "role $role_name: created"
        else
            look_role
        fi
    fi
    [ -n "$tagged" ] || return 0
    partition=${role#arn:}
    call NoSuchEntity iam list-attached-role-policies \
        --role-name "$role_name" --query 'AttachedPolicies[].PolicyArn' &&
        case $out in *"$LOGS"*) return ;; esac
    change '' iam attach-role-policy --role-name "$role_name" \
        --policy-arn "arn:${partition%%:*}:$LOGS"
    did "role $role_name: may write logs"
}

put_function() {
    if [ -z "$exists" ]; then
        [ -n "$ROLE" ] || put_role
        if change ResourceConflictException lambda create-function \
            --function-name "$FUNCTION" --runtime $RUNTIME \
            --architectures "$ARCH" --handler bootstrap \
            --role "${ROLE:-$role}" --timeout "$TIMEOUT" \
            --memory-size "$MEMORY" --zip-file "fileb://$ZIP"; then
            did "function $FUNCTION: created"
        fi
        settle
        [ -z "$DRY_RUN" ] || return 0
    fi
    there=$(printf %s "$code_sha" | base64 -d | od -An -v -tx1 | tr -d ' \n')
    if [ "$there,$architecture" != "$zip_sha,$ARCH" ]; then
        change '' lambda update-function-code --function-name "$FUNCTION" \
            --architectures "$ARCH" --zip-file "fileb://$ZIP"
        did "function $FUNCTION: code updated"
        settle
    fi
    case $settings,$role in
    "$RUNTIME bootstrap $TIMEOUT $MEMORY,${ROLE:-$role}") ;;
    *)
        change '' lambda update-function-configuration \
            --function-name "$FUNCTION" --runtime $RUNTIME \
            --handler bootstrap --role "${ROLE:-$role}" \
            --timeout "$TIMEOUT" --memory-size "$MEMORY"
        did "function $FUNCTION: configuration updated"
        settle
        ;;
    esac
    case $state,$update in
    Failed,* | *,Failed) fail "$FUNCTION is $state, $update: $reason" ;;
    esac
}

put_url() {
    [ "$url_auth,$url_mode" != "$AUTH,RESPONSE_STREAM" ] || return 0
    how=update
    [ -n "$url" ] || how=create
    change ResourceConflictException lambda $how-function-url-config \
        --function-name "$FUNCTION" --auth-type "$AUTH" \
        --invoke-mode RESPONSE_STREAM
    if ! look_url; then
        url='<URL>'
    elif [ "$url_auth,$url_mode" != "$AUTH,RESPONSE_STREAM" ]; then
        fail "the URL is $url_auth, $url_mode: somebody else changes it"
    fi
    did "URL: $AUTH, RESPONSE_STREAM"
}

# permit STATEMENT ACTION CONDITION...: to everybody with the URL.
permit() {
    statement=$1 action=$2
    shift 2
    [ -z "$(public "$action")" ] || return 0
    if change ResourceConflictException lambda add-permission \
        --function-name "$FUNCTION" --statement-id "$statement" \
        --action "$action" --principal '*' "$@"; then
        did "permission $statement: given"
    else
        look_policy
        [ -n "$(public "$action")" ] ||
            fail "the statement $statement is there and says something else"
    fi
}
# forbid ACTION: to everybody with the URL.
forbid() {
    for statement in $(public "$1"); do
        change ResourceNotFoundException lambda remove-permission \
            --function-name "$FUNCTION" --statement-id "$statement"
        did "permission $statement: taken back"
    done
}

deploy() {
    exists=1
    look || exists=
    look_url
    look_policy
    if [ "$AUTH" = NONE ]; then
        [ "$url_auth" = NONE ] && [ -n "$(public $OPEN_URL)" ] &&
            [ -n "$(public $RUN_FUNCTION)" ] || ask
    fi
    put_function
    put_url
    # Since October 2025 a public URL needs both.
    if [ "$AUTH" = NONE ]; then
        permit UrlPublic $OPEN_URL --function-url-auth-type NONE
        permit UrlInvoke $RUN_FUNCTION --invoked-via-function-url
    else
        forbid $OPEN_URL
        forbid $RUN_FUNCTION
    fi
    printf '%s\n' "$url"
    if [ "$AUTH" = NONE ]; then
        printf 'curl --no-buffer %s\n' "$url"
    else
        show make invoke "FUNCTION=$FUNCTION" "REGION=$REGION" \
            ${PROFILE:+"PROFILE=$PROFILE"}
    fi
}

# invoke

keys() {
    aws configure export-credentials --format env-no-export \
        ${PROFILE:+--profile "$PROFILE"}
}

# The keys as lines of a curl configuration.
curl_keys() {
    keys | awk '
        { value = substr($0, index($0, "=") + 1) }
        { gsub(/["\\]/, "\\\\&", value) }
        /^AWS_ACCESS_KEY_ID=/ { id = value }
        /^AWS_SECRET_ACCESS_KEY=/ { secret = value }
        /^AWS_SESSION_TOKEN=/ { token = value }
        END {
            printf "user = \"%s:%s\"\n", id, secret
            if (token != "")
                printf "header = \"X-Amz-Security-Token: %s\"\n", token
        }'
}

invoke() {
    [ -n "$DRY_RUN" ] || command -v curl >/dev/null || fail 'no curl here'
    look_url || [ -n "$DRY_RUN" ] ||
        fail "$FUNCTION has no URL in $REGION: make deploy"
    set -- curl --no-buffer --silent --show-error --fail-with-body
    [ -z "$EVENT" ] || set -- "$@" -H 'Content-Type: application/json' \
        --data-binary "$EVENT"
    if [ "${url_auth:-$AUTH}" = AWS_IAM ]; then
        set -- "$@" -K - --aws-sigv4 "aws:amz:$REGION:lambda"
    fi
    set -- "$@" "${url:-<URL>}"
    if [ -n "$DRY_RUN" ]; then
        show "$@"
    elif [ "$url_auth" = AWS_IAM ]; then
        keys >/dev/null 2>&1 ||
            fail 'this AWS CLI gives no credentials for curl: version 2 does'
        curl_keys | "$@"
    else
        "$@"
    fi
}

# logs

logs() {
    if call ResourceNotFoundException logs tail "/aws/lambda/$FUNCTION" \
        --since 1h; then
        [ -n "$DRY_RUN" ] || printf '%s\n' "$out"
    else
        say "no log of $FUNCTION in $REGION yet"
    fi
}

# undeploy

undeploy() {
    look
    change ResourceNotFoundException lambda delete-function-url-config \
        --function-name "$FUNCTION" && did 'URL: deleted'
    change ResourceNotFoundException lambda delete-function \
        --function-name "$FUNCTION" && did "function $FUNCTION: deleted"
    change ResourceNotFoundException logs delete-log-group \
        --log-group-name "/aws/lambda/$FUNCTION" && did 'log group: deleted'
    look_role
    [ -z "$DRY_RUN" ] || role=$DRY_ROLE tagged=1
    [ -n "$tagged" ] || return 0
    partition=${role#arn:}
    change NoSuchEntity iam detach-role-policy --role-name "$role_name" \
        --policy-arn "arn:${partition%%:*}:$LOGS"
    change NoSuchEntity iam delete-role --role-name "$role_name" &&
        did "role $role_name: deleted"
    return 0
}

# Before anything is looked at

# must NAME PATTERN WHAT: the value of a setting is empty or matches a basic
# regular expression.
must() {
    eval "value=\$$1"
    [ -z "$value" ] || LC_ALL=C expr "x$value" : "x$2\$" >/dev/null ||
        fail "$1=$value: $3"
}
between() {
    must "$1" '[1-9][0-9]\{0,4\}' "a number from $2 to $3 was expected"
    [ "${value:-0}" -ge "$2" ] && [ "$value" -le "$3" ] ||
        fail "$1=$value: a number from $2 to $3 was expected"
}

check_settings() {
    [ -n "$FUNCTION" ] || fail 'FUNCTION= needs a name'
    must FUNCTION '[A-Za-z0-9_-]\{1,64\}' \
        'a name of 1 to 64 letters, digits, - and _ was expected'
    must REGION '[a-z]\{2,\}\(-[a-z]\{1,\}\)\{1,\}-[0-9]\{1,\}' \
        'the name of a region was expected'
    must PROFILE '[^[:cntrl:]]\{1,\}' 'the name of a profile was expected'
    must ROLE 'arn:aws[a-z-]*:iam::[0-9]\{12\}:role/[A-Za-z0-9_+=,.@/-]\{1,\}' \
        'the ARN of a role was expected'
    case $ARCH in
    x86_64 | arm64) ;;
    *) fail "ARCH=$ARCH: x86_64 or arm64 was expected" ;;
    esac
    case $AUTH in
    NONE | AWS_IAM) ;;
    *) fail "AUTH=$AUTH: NONE or AWS_IAM was expected" ;;
    esac
    between TIMEOUT 1 900
    between MEMORY 128 10240
}

# The region as the AWS CLI finds it.
find_region() {
    [ -n "$REGION" ] || REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
    if [ -z "$REGION" ] && command -v aws >/dev/null; then
        REGION=$(aws configure get region ${PROFILE:+--profile "$PROFILE"} \
            2>/dev/null)
    fi
    if [ -n "$REGION" ]; then
        must REGION '[a-z]\{2,\}\(-[a-z]\{1,\}\)\{1,\}-[0-9]\{1,\}' \
            'the name of a region was expected'
    elif [ -n "$DRY_RUN" ]; then
        REGION=REGION
    else
        fail 'no region: REGION= gives one, or AWS_REGION, or aws configure'
    fi
    role_name=$FUNCTION-$REGION
    DRY_ROLE=arn:aws:iam::ACCOUNT:role/$role_name
}

# knows OPERATION MEMBER: the AWS CLI can send the member.
knows() {
    skeleton=$(aws lambda "$1" --generate-cli-skeleton 2>&1) ||
        fail "aws lambda $1:" $skeleton
    case $skeleton in
    *'"'"$2"'":'*) ;;
    *)
        fail "this AWS CLI is too old: its $1 does not know $2." \
            'Version 2 of October 2025 does.'
        ;;
    esac
}

check_tools() {
    for tool; do
        command -v "$tool" >/dev/null || fail "no program $tool here"
    done
}

verb=${1-}
case $verb in
deploy | invoke | logs | undeploy) shift ;;
*)
    echo 'usage: deploy.sh deploy|invoke|logs|undeploy [NAME=value...]' >&2
    exit 2
    ;;
esac
for setting; do
    case ${setting%%=*} in
    FUNCTION | ARCH | REGION | PROFILE | ROLE | AUTH | TIMEOUT | MEMORY | \
        ZIP | EVENT | YES | DRY_RUN)
        eval "${setting%%=*}=\${setting#*=}"
        ;;
    *) fail "$setting: no such setting" ;;
    esac
done

check_settings
if [ -z "$DRY_RUN" ]; then
    check_tools aws
    scratch=$(mktemp -d) || exit
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
fi
find_region
if [ "$verb" = deploy ]; then
    [ -n "$ROLE" ] || [ ${#role_name} -le $ROLE_NAME_MAX ] ||
        fail "FUNCTION=$FUNCTION: too long for a role $role_name; give ROLE="
    if [ -z "$DRY_RUN" ]; then
        check_tools sha256sum base64
        knows create-function Architectures
        knows create-function-url-config InvokeMode
        knows add-permission InvokedViaFunctionUrl
        [ -r "$ZIP" ] || fail "no $ZIP here: make zip"
        zip_sha=$(sha256sum <"$ZIP")
        zip_sha=${zip_sha%% *}
    fi
fi
$verb
