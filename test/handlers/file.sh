#!/bin/sh
# file.c: a folder with small and large files, and names that should not work.
handler='file'
. test/handlers/common.sh
ok 'builds' built HANDLER=test/handlers/file.c || { finish; exit 1; }

mkdir -p $dir/public/sub
printf 'hello file\n' >$dir/public/a.txt
printf '<p>' >"$dir/public/a page.html"
: >$dir/public/empty
echo x >$dir/public/sub/x.txt
echo hidden >$dir/public/.hidden
echo secret >$dir/secret
ln -s ../secret $dir/public/link
ln -s sub $dir/public/folder
mkfifo $dir/public/fifo
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "line %d\n", i * i }' >$dir/public/large
serve
answers 'a file' 200 'hello file' /files/a.txt
ok 'type' header Content-Type 'text/plain; charset=utf-8'
tag=$(grep -i '^etag' $dir/head | cut -d ' ' -f 2 | tr -d '\r')
ok 'a tag' [ ${#tag} = 18 ]
answers 'a space in its name' 200 '<p>' /files/a%20page.html
ok 'type of HTML' header Content-Type 'text/html; charset=utf-8'
get /files/large
ok 'a large file' cmp -s $dir/body $dir/public/large
ok 'type of what has no extension' header Content-Type application/octet-stream
: >$dir/body
get /files/large -X HEAD -m 30 --head
ok 'HEAD: status' status 200
ok 'HEAD: no body' cmp -s $dir/head $dir/body
get /files/empty -H 'Range: bytes=0-'
ok 'an empty file: 204' status 204
ok 'its tag' header ETag '"cbf29ce484222325"' # FNV-1a of nothing

# HEAD, by hand: not a byte of body, whatever the answer is.
for path in a.txt large empty nothing; do
    printf '{"requestContext":{"http":{"method":"HEAD"}},"rawPath":"/files/%s"}' $path \
        >$dir/event
    (cd $dir && ./bootstrap --event event) >$dir/out 2>$dir/err
    ok "HEAD $path" [ $? = 0 ]
    ok "HEAD $path: a status, and no body" [ -s $dir/err -a ! -s $dir/out ]
done

# Conditions.
for condition in "$tag" "W/$tag" "\"x\", $tag" "W/\"x\",W/$tag , \"y\"" '*'; do
    : >$dir/body
    get /files/a.txt -H "If-None-Match: $condition"
    ok "If-None-Match: $condition" status 304
    ok "$condition: no body" [ ! -s $dir/body ]
    ok "$condition: its tag" header ETag "$tag"
done
for condition in '"x"' '"*"' "${tag%?}" "${tag%??}x\"" "$(printf '"%0255d"' 0)"; do
    answers "If-None-Match: $condition" 200 'hello file' /files/a.txt \
        -H "If-None-Match: $condition"
done
touch -d 1980-01-01 $dir/public/a.txt
get /files/a.txt
ok 'the time makes no other tag' header ETag "$tag"
printf 'hello filf\n' >$dir/public/a.txt
get /files/a.txt
ok 'the content does' [ "$(grep -i '^etag' $dir/head | cut -d ' ' -f 2 | tr -d '\r')" != "$tag" ]

# Ranges of eleven bytes.
range() {
    answers "Range: $1" "$2" "$3" /files/a.txt -H "Range: $1"
    [ $2 != 206 ] || ok "Range: $1: Content-Range" header Content-Range "bytes $4/11"
}
range bytes=0-0 206 h 0-0
range bytes=6-9 206 filf 6-9
range bytes=6- 206 filf 6-10
range bytes=6-99 206 filf 6-10
range bytes=-5 206 filf 6-10
range bytes=-99 206 'hello filf' 0-10
range bytes=10-10 206 '' 10-10
answers 'Range: outside' 416 'no such range' /files/a.txt -H 'Range: bytes=11-'
ok '416: Content-Range' header Content-Range 'bytes */11'
range bytes=-0 416 'no such range'
for other in bytes=5 bytes= bytes=- bytes=a-b bytes=5-4 bytes=0-1,3-4 lines=1-2 \
    bytes=99999999999999999999- 'bytes=1-2 ' bytes=--1 bytes=+1-2 b; do
    case $other in
    *' ') range "$other" 206 el 1-2 ;; # curl, or the front, drops the space
    *) range "$other" 200 'hello filf' ;;
    esac
done
answers 'If-Range: the file whole' 200 'hello filf' /files/a.txt \
    -H 'Range: bytes=0-1' -H 'If-Range: "x"'
get /files/large -H 'Range: bytes=65530-200000'
tail -c +65531 $dir/public/large | head -c 134471 >$dir/part
ok 'a large range' cmp -s $dir/body $dir/part

# Names that lead out, or nowhere.
for name in ../secret ..%2fsecret ..%2Fsecret %2e%2e/secret %252e%252e%252fsecret \
    ./a.txt /a.txt //a.txt sub/x.txt sub%2fx.txt .hidden %2ehidden link folder \
    folder/x.txt sub fifo '' . .. a.txt/ a.txt%00 a.txt%00.html nothing \
    "$(printf '%0300d' 0)" public/a.txt "$PWD/$dir/secret"; do
    answers "'$name'" 404 'no such file' "/files/$name"
done
for path in / /files /file/a.txt /filesa.txt //files/a.txt /FILES/a.txt; do
    answers "$path" 404 'no such file' "$path"
done
answers 'POST' 405 'no such method' /files/a.txt -d x
ok 'Allow' header Allow 'GET, HEAD'

mkdir -p $dir/other && echo other >$dir/other/a.txt
serve --env "FILES=$PWD/$dir/other"
answers 'FILES' 200 other /files/a.txt
serve --env "FILES=other"
answers 'FILES, from the folder of bootstrap' 200 other /files/a.txt
build/lambda --env FILES=nowhere --invoke '{}' -- $dir/bootstrap >$dir/out 2>$dir/err
ok 'no folder: it says so' grep -q Function.NoFiles $dir/err
finish
